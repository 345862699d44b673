import assert from 'node:assert/strict';
import { test } from 'node:test';
import { parseDevOptions } from './options.ts';

const parse = (...argv: string[]) => parseDevOptions(argv, '/home/ada');

test('without arguments there are twenty hosts of ordinary speed and faults of the cloud’s own', () => {
  assert.deepEqual(parse(), {
    options: { hosts: 20, speed: 1, faults: undefined, apiPort: 8080, agentPort: 8250 },
  });
});

test('a file of faults is looked for where the command was typed', () => {
  const parsed = parse('--hosts', '2000', '--speed', '0.5', '--faults', 'bad.json', '--port', '9000');
  assert.deepEqual(parsed, {
    options: { hosts: 2000, speed: 0.5, faults: '/home/ada/bad.json', apiPort: 9000, agentPort: 8250 },
  });
});

test('what cannot be is refused by the name of its option', () => {
  for (const [argv, named] of [
    [['--hosts', '0'], '--hosts'],
    [['--hosts', '1.5'], '--hosts'],
    [['--speed', 'fast'], '--speed'],
    [['--port', '8250'], '--port'],
    [['--nonsense'], '--nonsense'],
  ] as const) {
    const parsed = parse(...argv);
    assert.ok('problem' in parsed && parsed.problem.includes(named), argv.join(' '));
  }
  assert.ok('help' in parse('--help'));
});
