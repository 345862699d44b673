import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { join, relative } from 'node:path';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';

/** The house rules that a machine can check. Each failure names the file and the rule. */

const root = fileURLToPath(new URL('..', import.meta.url));
const ignored = new Set(['node_modules', '.git', 'var', 'coverage', 'testdata']);

function filesBelow(directory: string): string[] {
  return readdirSync(join(root, directory), { withFileTypes: true }).flatMap((entry) => {
    if (ignored.has(entry.name)) return [];
    const path = join(directory, entry.name);
    return entry.isDirectory() ? filesBelow(path) : [path];
  });
}

const sources = ['packages', 'apps', 'test', 'tools']
  .flatMap(filesBelow)
  .filter((path) => /\.tsx?$/.test(path))
  .map((path) => ({ path, text: readFileSync(join(root, path), 'utf8') }));
const isTest = (path: string) =>
  path.startsWith('test/') || /\.test\.ts$/.test(path) || /\/test(ing)?\//.test(path);
const production = sources.filter(({ path }) => !isTest(path));

function violations(rule: (source: { path: string; text: string }) => string[], among = sources): string[] {
  return among.flatMap((source) => rule(source).map((problem) => `${source.path}: ${problem}`));
}

const importPattern =
  /^(?:import|export)\s[^'"]*?from\s+['"]([^'"]+)['"]|^import\s+['"]([^'"]+)['"]|\bimport\(\s*['"]([^'"]+)['"]\s*\)/gm;
function importsOf(text: string): string[] {
  return [...text.matchAll(importPattern)].map((match) => match[1] ?? match[2] ?? match[3] ?? '');
}

/** What each workspace may import of the others: data moves one way. */
const mayImport: Record<string, readonly string[]> = {
  'packages/core': [],
  'packages/metalink': ['core'],
  'packages/image': ['core', 'metalink'],
  'packages/api': ['core'],
  'packages/api-client': ['core', 'api'],
  'packages/agent-protocol': ['core'],
  'apps/server': ['core', 'api', 'agent-protocol', 'metalink'],
  'apps/agent': ['core', 'agent-protocol', 'image', 'metalink'],
  'apps/agent-sim': ['core', 'agent-protocol'],
  'apps/cli': ['core', 'api-client', 'image'],
  'apps/standalone': ['core', 'api-client'],
  // nothing that runs in Node: its pages are bundled for browsers
  'apps/web': ['api', 'api-client'],
};

/**
 * The one reach from an app into another: simulated hosts are the agent with another hypervisor, so how it joins, connects,
 * keeps operations and reports is the agent's own code. Nothing of how it drives a real host is among it.
 */
const mayReach: Record<string, readonly RegExp[]> = {
  'apps/agent-sim': [
    /^apps\/agent\/src\/(join|session|reconcile)\/[a-z-]+\.ts$/,
    /^apps\/agent\/src\/(operations|failure|lanes|console\/dial-server|state\/identity|host\/facts)\.ts$/,
    /^apps\/agent\/src\/handlers\/(handler|vm-lane)\.ts$/,
  ],
};

test('workspaces import only what the architecture allows', () => {
  const found = violations(({ path, text }) => {
    const workspace = path.split('/').slice(0, 2).join('/');
    const allowed = mayImport[workspace];
    if (!allowed) return [`workspace ${workspace} is not in the table of this test`];
    return importsOf(text).flatMap((name) => {
      const other = /^@millrace\/([^/]+)/.exec(name)?.[1];
      if (other) return allowed.includes(other) ? [] : [`imports @millrace/${other}`];
      if (!name.startsWith('.')) return [];
      const target = relative(root, join(root, path, '..', name));
      const own = target.startsWith(`${workspace}/`);
      return own || mayReach[workspace]?.some((part) => part.test(target)) ? [] : [`reaches into ${target}`];
    });
  }, production);
  assert.deepEqual(found, []);
});

/** Inside the server: http → commands → workflows | domain | jobs → agents | store. A layer imports only what it lists. */
const serverLayers: Record<string, readonly string[]> = {
  domain: ['domain'],
  placement: ['placement', 'domain'],
  store: ['store', 'domain'],
  agents: ['agents', 'store', 'domain'],
  jobs: ['jobs', 'store', 'domain'],
  workflows: ['workflows', 'jobs', 'agents', 'store', 'domain', 'placement', 'commands'],
  commands: ['commands', 'jobs', 'agents', 'store', 'domain'],
  bootstrap: ['bootstrap', 'store', 'domain'],
  http: ['http', 'commands', 'jobs', 'agents', 'store', 'domain'],
};

test('inside the server data moves one way', () => {
  const found = violations(({ path, text }) => {
    const layer = /^apps\/server\/src\/([^/]+)\//.exec(path)?.[1];
    if (!layer) return [];
    const allowed = serverLayers[layer];
    if (!allowed) return [`layer ${layer} is not in the table of this test`];
    return importsOf(text).flatMap((name) => {
      if (!name.startsWith('.')) return [];
      const target = relative(join(root, 'apps/server/src'), join(root, path, '..', name));
      if (!target.includes('/')) return target === 'config.ts' ? [] : [`imports ${target}`];
      const other = target.split('/')[0]!;
      // The workflows may use the commands' response shapes (a job's answer is the command's answer), nothing else of them.
      if (layer === 'workflows' && other === 'commands' && !target.startsWith('commands/responses/'))
        return [`imports ${target}`];
      return allowed.includes(other) ? [] : [`${layer} imports ${other} (${target})`];
    });
  }, production);
  assert.deepEqual(found, []);
});

test('only the spawn wrapper starts programs, and never through a shell', () => {
  const found = violations(
    ({ path, text }) =>
      path === 'packages/core/src/spawn.ts'
        ? []
        : importsOf(text).includes('node:child_process')
          ? ['imports node:child_process']
          : [],
    production,
  );
  assert.deepEqual(found, []);
});

test('streams are joined by pipeline only', () => {
  assert.deepEqual(
    violations(({ text }) => (/\.pipe\(/.test(text) ? ['uses .pipe()'] : []), production),
    [],
  );
});

test('files stay readable in one sitting', () => {
  const found = violations(({ text }) => {
    const lines = text.split('\n').length;
    return lines > 500 ? [`${lines} lines (limit 500, aim 300)`] : [];
  });
  assert.deepEqual(found, []);
});

test('names say what a thing is', () => {
  const found = violations(({ path }) =>
    /(^|[/-])(utils?|helpers?|managers?|misc|common)([./-]|$)/.test(path) ? ['a drawer, not a name'] : [],
  );
  assert.deepEqual(found, []);
});

test('there are no barrels but a package’s index', () => {
  const found = violations(({ path, text }) => {
    if (/^packages\/[^/]+\/src\/index\.ts$/.test(path)) return [];
    return /^export \* from/m.test(text) ? ['re-exports a module'] : [];
  });
  assert.deepEqual(found, []);
});

test('the type checker is not escaped from', () => {
  const pattern = /@ts-(ignore|nocheck|expect-error)|: any\b|\bas any\b/;
  assert.deepEqual(
    violations(({ path, text }) =>
      path === 'test/repo-rules.test.ts' ? [] : pattern.test(text) ? [pattern.exec(text)![0]] : [],
    ),
    [],
  );
});

test('nothing is left open in the code', () => {
  const pattern = /\b(TODO|FIXME|XXX|HACK)\b|not implemented/i;
  const found = violations(({ path, text }) =>
    path === 'test/repo-rules.test.ts' ? [] : pattern.test(text) ? [pattern.exec(text)![0]] : [],
  );
  assert.deepEqual(found, []);
});

test('no test runs alone, and a skipped one says what is missing', () => {
  const found = violations(({ path, text }) => {
    if (path === 'test/repo-rules.test.ts') return [];
    const problems: string[] = [];
    if (/\.(only|todo)\(|only: true/.test(text)) problems.push('a test runs alone');
    if (/\.skip\(\)|skip: true\b/.test(text)) problems.push('a skip without a reason');
    return problems;
  });
  assert.deepEqual(found, []);
});

test('the repository knows no machine and no registry', () => {
  const everywhere = ['.', '.ci', 'bin', 'docs', 'tools', 'packages', 'apps', 'test']
    .flatMap((directory) =>
      directory === '.'
        ? readdirSync(root, { withFileTypes: true })
            .filter((entry) => entry.isFile() && entry.name !== '.git')
            .map((entry) => entry.name)
        : filesBelow(directory),
    )
    .filter((path) => path !== 'test/repo-rules.test.ts' && !/\.(png|bin|qcow2)$/.test(path));
  const pattern = /(^|[\s"'`(=])\/(work|farm)\/|\.\.\/shared\/|registry\.npmjs|deb\.debian\.org/;
  const found = everywhere.filter((path) => pattern.test(readFileSync(join(root, path), 'utf8')));
  assert.deepEqual(found, []);
});

test('dependencies are pinned to one version', () => {
  const manifests = [
    'package.json',
    ...Object.keys(mayImport).map((workspace) => `${workspace}/package.json`),
  ];
  const found = manifests.flatMap((path) => {
    const manifest = JSON.parse(readFileSync(join(root, path), 'utf8')) as Record<
      string,
      Record<string, string> | undefined
    >;
    return ['dependencies', 'devDependencies', 'optionalDependencies'].flatMap((kind) =>
      Object.entries(manifest[kind] ?? {})
        .filter(([, version]) => !/^\d+\.\d+\.\d+(-[\w.]+)?$/.test(version))
        .map(([name, version]) => `${path}: ${name} ${version}`),
    );
  });
  assert.deepEqual(found, []);
});

/** Codes that users and operators meet: `new MillraceError('CODE'`, subclasses' first argument, and keys of error tables. */
function errorCodes(): Set<string> {
  const codes = new Set<string>();
  for (const { text } of production) {
    for (const match of text.matchAll(/new \w*(?:Error|Failure)\(\s*'([A-Z][A-Z0-9]*(?:_[A-Z0-9]+)+)'/g))
      codes.add(match[1]!);
    for (const table of text.matchAll(/export const \w*[eE]rrors = \{([\s\S]*?)\n\} as const/g)) {
      for (const key of table[1]!.matchAll(/^ {2}([A-Z][A-Z0-9_]{3,}):/gm)) codes.add(key[1]!);
    }
  }
  return codes;
}

test('docs/errors.md lists every error code, and no other', () => {
  const documented = new Set(
    [...readFileSync(join(root, 'docs/errors.md'), 'utf8').matchAll(/^\| `([A-Z0-9_]+)` \|/gm)].map(
      (match) => match[1]!,
    ),
  );
  const used = errorCodes();
  assert.deepEqual(
    {
      undocumented: [...used].filter((code) => !documented.has(code)).sort(),
      unused: [...documented].filter((code) => !used.has(code)).sort(),
    },
    { undocumented: [], unused: [] },
  );
});
