import assert from 'node:assert/strict';
import test from 'node:test';
import { invokerFrom } from './invoker.ts';

const passwd = 'root:x:0:0:root:/root:/bin/bash\nada:x:1000:1001:Ada:/home/ada:/bin/bash\n';

test('the person behind sudo is found with their own home', () => {
  const environment = { SUDO_UID: '1000', SUDO_GID: '1001', HOME: '/root' };
  assert.deepEqual(invokerFrom(passwd, environment), { uid: 1000, gid: 1001, home: '/home/ada' });
});

test('root itself may have another home', () => {
  assert.deepEqual(invokerFrom(passwd, { HOME: '/srv' }), { uid: 0, gid: 0, home: '/srv' });
  assert.deepEqual(invokerFrom(passwd, {}), { uid: 0, gid: 0, home: '/root' });
});
