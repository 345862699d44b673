import assert from 'node:assert/strict';
import test from 'node:test';
import { parseResetOptions, parseStartOptions } from './options.ts';

test('without arguments the data lies in var below the project and the demo runs', () => {
  assert.deepEqual(parseStartOptions([], '/srv/millrace'), {
    options: {
      dataDirectory: '/srv/millrace/var',
      apiPort: 8080,
      agentPort: 8250,
      agentHost: '127.0.0.1',
      demo: true,
      install: true,
    },
  });
});

test('every option is read, and a relative data directory is one of the project', () => {
  assert.deepEqual(
    parseStartOptions(
      ['--no-demo', '--no-install', '--data-dir', 'x/y', '--port', '81', '--agent-port=82'],
      '/p',
    ),
    {
      options: {
        dataDirectory: '/p/x/y',
        apiPort: 81,
        agentPort: 82,
        agentHost: '127.0.0.1',
        demo: false,
        install: false,
      },
    },
  );
});

for (const [argv, says] of [
  [['--port', '0'], /--port must be a number/],
  [['--port', '65536'], /--port must be a number/],
  [['--agent-port', '8o'], /--agent-port must be a number/],
  [['--port', '8250'], /must differ/],
  [['--prot', '1'], /--prot/],
  [['extra'], /extra/],
] as const) {
  test(`${argv.join(' ')} is refused with a reason and the list of options`, () => {
    const parsed = parseStartOptions(argv, '/p');
    assert.ok('problem' in parsed);
    assert.match(parsed.problem, says);
    assert.match(parsed.problem, /--data-dir DIR/);
  });
}

test('help is asked for with --help', () => {
  assert.ok('help' in parseStartOptions(['--help'], '/p'));
  assert.ok('help' in parseResetOptions(['-h'], '/p'));
});

test('a reset asks first unless --yes is given', () => {
  assert.deepEqual(parseResetOptions([], '/p'), { options: { dataDirectory: '/p/var', confirmed: false } });
  assert.deepEqual(parseResetOptions(['--yes', '--data-dir', '/d'], '/p'), {
    options: { dataDirectory: '/d', confirmed: true },
  });
});
