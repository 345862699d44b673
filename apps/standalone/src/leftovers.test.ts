import assert from 'node:assert/strict';
import test from 'node:test';
import { domainsOf } from './leftovers.ts';

test('only VMs whose names end in the instance id are its own', () => {
  const names = [
    'i-2-3-0a1b2c3d',
    'i-2-4-0a1b2c3e',
    'web-0a1b2c3d',
    'i-2-5-x0a1b2c3d',
    'i-12-40-0a1b2c3d',
    '',
  ];
  assert.deepEqual(domainsOf('0a1b2c3d', names), ['i-2-3-0a1b2c3d', 'i-12-40-0a1b2c3d']);
});
