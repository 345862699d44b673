import assert from 'node:assert/strict';
import { test } from 'node:test';
import { readConfig } from './config.ts';

const least = { MILLRACE_DATA_DIR: '/d', DATABASE_URL: 'postgresql:///x' };

test('the port for calls without credentials is off, and on loopback when it is on', () => {
  assert.equal(readConfig(least).integrationPort, undefined);
  assert.equal(readConfig({ ...least, MILLRACE_INTEGRATION_PORT: '' }).integrationPort, undefined);
  const where = (text: string) => readConfig({ ...least, MILLRACE_INTEGRATION_PORT: text }).integrationPort;
  assert.deepEqual(where('8096'), { host: '127.0.0.1', port: 8096 });
  assert.deepEqual(where('localhost:8096'), { host: 'localhost', port: 8096 });
  assert.deepEqual(where('[::1]:8096'), { host: '::1', port: 8096 });
});

test('it is nowhere else', () => {
  for (const text of [
    '0.0.0.0:8096',
    '[::]:8096',
    '10.0.0.1:8096',
    'cloud.example:8096',
    '127.0.0.1.evil.example:1',
  ])
    assert.throws(
      () => readConfig({ ...least, MILLRACE_INTEGRATION_PORT: text }),
      /MILLRACE_INTEGRATION_PORT: must be on loopback/,
      text,
    );
  for (const text of ['70000', 'x', ':8096', '-1'])
    assert.throws(() => readConfig({ ...least, MILLRACE_INTEGRATION_PORT: text }), /must be/, text);
});
