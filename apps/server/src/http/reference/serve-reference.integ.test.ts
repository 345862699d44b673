import assert from 'node:assert/strict';
import { test } from 'node:test';
import { allSpecs } from '@millrace/api';
import { Validator } from '@seriousme/openapi-schema-validator';
import { z } from 'zod';
import { withTestApi } from '../testing/test-api.ts';

test('every command has a page with its parameters and fields, without script, and the index leads to all', async (t) => {
  const { origin } = new URL((await withTestApi(t)).url);
  const index = await (await fetch(`${origin}/docs`)).text();
  for (const spec of allSpecs) {
    assert.ok(index.includes(`href="/docs/${spec.name}"`), spec.name);
    const page = await fetch(`${origin}/docs/${spec.name}`);
    assert.equal(page.status, 200, spec.name);
    const text = await page.text();
    const names = [...Object.keys(spec.params), ...Object.keys(spec.response)];
    for (const name of names) assert.ok(text.includes(`<code>${name}</code>`), `${spec.name} ${name}`);
    assert.doesNotMatch(text, /<script|\sstyle=|\son[a-z]+=/);
    assert.match(page.headers.get('content-security-policy') ?? '', /^default-src 'none'; style-src 'self'/);
  }
});

test('the search finds commands by words of name, description and parameters, and shows what was typed as text', async (t) => {
  const { origin } = new URL((await withTestApi(t)).url);
  const found = await (await fetch(`${origin}/docs?q=Template+checksum`)).text();
  assert.match(found, /href="\/docs\/registerTemplate"/);
  assert.doesNotMatch(found, /href="\/docs\/listZones"/);
  const hostile = await (
    await fetch(`${origin}/docs?q=${encodeURIComponent('"><script>x</script>')}`)
  ).text();
  assert.match(hostile, /0 commands for/);
  assert.doesNotMatch(hostile, /<script/);
});

test('a command that does not exist has no page', async (t) => {
  const { origin } = new URL((await withTestApi(t)).url);
  assert.equal((await fetch(`${origin}/docs/inventMoney`)).status, 404);
  assert.equal((await fetch(`${origin}/docs/LISTZONES`)).status, 200);
});

test('the OpenAPI document is valid, and has an operation for every command', async (t) => {
  const { origin } = new URL((await withTestApi(t)).url);
  const answer = await fetch(`${origin}/docs/openapi.json`);
  assert.match(answer.headers.get('content-type') ?? '', /^application\/json/);
  const document = z
    .object({ paths: z.record(z.string(), z.unknown()) })
    .loose()
    .parse(await answer.json());
  const validator = new Validator();
  const result = await validator.validate(document);
  assert.deepEqual(result.errors ?? [], []);
  assert.equal(result.valid, true);
  assert.equal(validator.version, '3.1');
  const broken = await new Validator().validate({ ...document, info: {} });
  assert.equal(broken.valid, false, 'the validator sees what is wrong');
  assert.deepEqual(
    Object.keys(document.paths).toSorted(),
    allSpecs.map(({ name }) => `/client/api#${name}`).toSorted(),
  );
});
