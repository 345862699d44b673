import assert from 'node:assert/strict';
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { startFakeApi } from '../testing/fake-api.ts';
import { makeHome, runProgramTo } from '../testing/run-main.ts';

const launcher = fileURLToPath(new URL('../../../../bin/millrace', import.meta.url));

/**
 * Sources the script in a real bash and calls the function that Tab calls, as bash would: the line, its last word as
 * bash's own rules break it, and the kind of completion (9: insert, 63: list).
 */
const harness = `
set -eu
source <("$1" completion bash)
COMP_LINE=$2 COMP_POINT=\${#2} COMP_TYPE=$3
COMP_WORDS=("$1") COMP_CWORD=1
set +eu
_millrace
printf '%s\\n' "\${COMPREPLY[@]}"
`;

async function completeInBash(
  line: string,
  options: { environment: Readonly<Record<string, string>>; cwd?: string; type?: number },
): Promise<string[]> {
  const { stdout, stderr, code } = await runProgramTo(
    'bash',
    ['--norc', '-c', harness, 'bash', launcher, line, String(options.type ?? 9)],
    options,
  );
  assert.deepEqual([code, stderr], [0, '']);
  return stdout.split('\n').filter((text) => text !== '');
}

const machines = [
  { id: '11111111-aaaa', name: 'web 1', state: 'Running' },
  { id: '22222222-bbbb', name: '$(touch hacked)', state: 'Stopped' },
];

async function startCloud() {
  return startFakeApi((call) =>
    call.command === 'listVirtualMachines' ? { answer: { count: 2, virtualmachine: machines } } : undefined,
  );
}

for (const [line, expected] of [
  ['millrace li', ['list']],
  ['millrace list virt', ['virtualmachines']],
  ['/opt/millrace list virt', ['virtualmachines']],
  ['millrace register template d', ['directdownload=', 'details[0].']],
  // bash takes what follows = for the word
  ['millrace register template directdownload=t', ['true']],
  ['millrace register template name="a b" directdownload=f', ['false']],
  ['millrace stop virtualmachine id=', ['11111111-aaaa', '22222222-bbbb']],
  ['millrace stop virtualmachine id=2', ['22222222-bbbb']],
  ['millrace stop virtualmachine id=web', ['11111111-aaaa']],
  ['millrace qqq', []],
] as const) {
  test(`bash completes ${line} with ${expected.join(' ') || 'nothing'}`, async () => {
    await using server = await startCloud();
    await using home = await makeHome(server.url);
    assert.deepEqual(await completeInBash(line, home), expected);
  });
}

test('bash shows names beside ids when it lists them', async () => {
  await using server = await startCloud();
  await using home = await makeHome(server.url);
  assert.deepEqual(await completeInBash('millrace stop virtualmachine id=', { ...home, type: 63 }), [
    '11111111-aaaa  (web 1, Running)',
    '22222222-bbbb  ($(touch hacked), Stopped)',
  ]);
});

test('a value that is no plain word is quoted before it gets onto the command line', async () => {
  await using server = await startFakeApi((call) =>
    call.command === 'listVirtualMachines'
      ? { answer: { count: 1, virtualmachine: [{ id: 'x;$(touch hacked)' }] } }
      : undefined,
  );
  await using home = await makeHome(server.url);
  assert.deepEqual(await completeInBash('millrace stop virtualmachine id=x', home), [
    'x\\;\\$\\(touch\\ hacked\\)',
  ]);
});

test('bash completes the name of a file after @', async () => {
  await using home = await makeHome('http://127.0.0.1:1/client/api');
  await using server = await startCloud();
  const directory = join(home.path, 'files');
  await mkdir(directory);
  await writeFile(join(directory, 'user-data.yaml'), '');
  const environment = { ...home.environment, MILLRACE_URL: server.url };
  const options = { environment, cwd: directory };
  assert.deepEqual(await completeInBash('millrace deploy virtualmachine userdata=@us', options), [
    '@user-data.yaml',
  ]);
});

test('a server that is away leaves own commands, without an error', async () => {
  await using home = await makeHome('http://127.0.0.1:1/client/api');
  assert.deepEqual(await completeInBash('millrace sho', home), ['show']);
  assert.deepEqual(await completeInBash('millrace list ', home), []);
});
