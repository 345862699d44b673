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
    start: true,
  });
});

test('without a word the agent runs, and what no word takes is a problem', () => {
  assert.deepEqual(parseCommand([]), { kind: 'run' });
  assert.deepEqual(parseCommand(['run']), { kind: 'run' });
  assert.deepEqual(parseCommand(['check', '--json']), { kind: 'check', json: true });
  assert.deepEqual(parseCommand(['join', '--help']), { kind: 'help' });
  for (const argv of [['run', 'x'], ['join'], ['join', 'https://a'], ['leave'], ['--verbose']])
    assert.equal(parseCommand(argv).kind, 'problem', argv.join(' '));
});
