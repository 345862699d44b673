import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { test } from 'node:test';
import { allSpecs, type FieldSpecs, unservedCommands } from '@millrace/api';

const docs = new URL('../../../../docs/', import.meta.url);

test('docs/api-differences.md lists every parameter that is not supported, and no other', async () => {
  const text = await readFile(new URL('api-differences.md', docs), 'utf8');
  const documented = text
    .split('\n')
    // the formatter aligns columns
    .map((line) => line.replaceAll(/ +/g, ' '))
    .filter((line) => /\| (ignored|refused|nothing) \|/.test(line));
  const actual = allSpecs.flatMap((spec) =>
    Object.entries(spec.params).flatMap(([name, { unsupported }]) => {
      if (!unsupported) return [];
      const { effect, reason, harmless = [] } = unsupported;
      const accepted = harmless.length > 0 ? `; accepted: ${harmless.join(', ')}` : '';
      return [`| ${spec.name} | ${name} | ${effect} | ${reason}${accepted} |`];
    }),
  );
  assert.deepEqual(documented.sort(), actual.sort());
});

test('commands that are deliberately not there are not, and docs/api-differences.md says why', async () => {
  const text = await readFile(new URL('api-differences.md', docs), 'utf8');
  const lines = new Set(text.split('\n').map((line) => line.replaceAll(/ +/g, ' ')));
  const served = new Set(allSpecs.map(({ name }) => name.toLowerCase()));
  for (const [name, reason] of Object.entries(unservedCommands)) {
    assert.ok(!served.has(name.toLowerCase()), `${name} is served`);
    assert.ok(lines.has(`| ${name} | ${reason} |`), name);
  }
});

test('docs/api-differences.json explains nothing that is not there', async () => {
  type Explanations = Record<string, Partial<Record<'params' | 'response', Record<string, string>>>>;
  const explained: Explanations = JSON.parse(await readFile(new URL('api-differences.json', docs), 'utf8'));
  for (const [command, kinds] of Object.entries(explained)) {
    const spec = allSpecs.find((candidate) => candidate.name === command);
    assert.ok(spec, command);
    for (const name of Object.keys(kinds.params ?? {})) assert.ok(name in spec.params, `${command} ${name}`);
    for (const name of Object.keys(kinds.response ?? {})) {
      assert.ok(flatNames(spec.response).includes(name), `${command} ${name}`);
    }
  }
});

function flatNames(fields: FieldSpecs, prefix = ''): string[] {
  return Object.entries(fields).flatMap(([name, field]) => [
    prefix + name,
    ...(field.response ? flatNames(field.response, `${prefix}${name}.`) : []),
  ]);
}
