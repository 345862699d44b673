import assert from 'node:assert/strict';
import { test } from 'node:test';
import { parseCommand } from './arguments.ts';

test('a join names servers, token and directories', () => {
  const argv = [
    'join',
    'https://a:8250',
    'https://b:8250',
    '--token',
    'T',
    '--pool',
    '/p',
    '--shared',
    '/s,/t',
  ];
  assert.deepEqual(parseCommand(argv), {
    kind: 'join',
    serverUrls: ['https://a:8250', 'https://b:8250'],
    token: 'T',
    poolPath: '/p',
    sharedPaths: '/s,/t',
    storePaths: undefined,
    imageListen: undefined,
    role: undefined,
    start: true,
  });
});

test('a machine for image stores serves images without being told where', () => {
  const argv = ['join', 'https://a:8250', '--token', 'T', '--role', 'image-store', '--store', '/srv/images'];
  const command = parseCommand(argv);
  assert.ok(command.kind === 'join');
  assert.deepEqual(
    [command.role, command.storePaths, command.imageListen],
    ['image-store', '/srv/images', '0.0.0.0:8260'],
  );
});

test('without a word the agent runs, and what no word takes is a problem', () => {
  assert.deepEqual(parseCommand([]), { kind: 'run' });
  assert.deepEqual(parseCommand(['run']), { kind: 'run' });
  assert.deepEqual(parseCommand(['check', '--json']), { kind: 'check', json: true });
  assert.deepEqual(parseCommand(['join', '--help']), { kind: 'help' });
  for (const argv of [['run', 'x'], ['join'], ['join', 'https://a'], ['leave'], ['--verbose']])
    assert.equal(parseCommand(argv).kind, 'problem', argv.join(' '));
});
