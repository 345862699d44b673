import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ConfigError, readConfig } from './config.ts';

test('everything has a default', () => {
  const config = readConfig({});
  assert.deepEqual(config, {
    stateDir: '/var/lib/millrace/agent',
    serverUrls: ['https://127.0.0.1:8250'],
    sharedPaths: [],
    storePaths: [],
    role: 'host',
    mountDirectory: '/var/lib/millrace/mounts',
    libvirtUri: 'qemu:///system',
    virtType: 'auto',
    logLevel: 'info',
    exitWithStdin: false,
  });
  assert.ok(Object.isFrozen(config));
});

test('an empty variable counts as unset', () => {
  const config = readConfig({ MILLRACE_AGENT_DIR: '/a', MILLRACE_JOIN_TOKEN: '', MILLRACE_VIRT_TYPE: '' });
  assert.equal(config.joinToken, undefined);
  assert.equal(config.virtType, 'auto');
});

test('every problem is listed at once, by the name of its variable', () => {
  const environment = {
    MILLRACE_AGENT_DIR: 'agent',
    MILLRACE_SERVER_URL: 'http://server:8250',
    MILLRACE_JOIN_TOKEN: 'secret-but-wrong',
    MILLRACE_POOL_PATH: 'pool',
    MILLRACE_VIRT_TYPE: 'xen',
    MILLRACE_EXIT_WITH_STDIN: 'perhaps',
  };
  assert.throws(
    () => readConfig(environment),
    (error: unknown) => {
      assert.ok(error instanceof ConfigError);
      const names = [...error.message.matchAll(/^ {2}(MILLRACE_\w+):/gm)].map((match) => match[1]);
      assert.deepEqual(names.toSorted(), Object.keys(environment).toSorted());
      assert.match(error.message, /6 problem\(s\)/);
      assert.doesNotMatch(error.message, /secret-but-wrong/);
      return true;
    },
  );
});

test('MILLRACE_SERVER_URL lists several servers, each once, each a URL', () => {
  const read = (servers: string) =>
    readConfig({ MILLRACE_AGENT_DIR: '/a', MILLRACE_SERVER_URL: servers }).serverUrls;
  assert.deepEqual(read('https://10.0.0.5:8250, https://10.0.0.6:8250'), [
    'https://10.0.0.5:8250',
    'https://10.0.0.6:8250',
  ]);
  assert.throws(
    () => read('https://10.0.0.5:8250,http://10.0.0.6:8250'),
    /MILLRACE_SERVER_URL: must be an https/,
  );
  assert.throws(() => read('https://10.0.0.5:8250,'), /MILLRACE_SERVER_URL: must be an https/);
  assert.throws(() => read('https://a:1,https://a:1'), /MILLRACE_SERVER_URL: names a server twice/);
});

test('MILLRACE_EXIT_WITH_STDIN=1 is read as yes', () => {
  assert.equal(readConfig({ MILLRACE_AGENT_DIR: '/a', MILLRACE_EXIT_WITH_STDIN: '1' }).exitWithStdin, true);
});
