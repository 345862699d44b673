import assert from 'node:assert/strict';
import { test } from 'node:test';
import { scopesOf, settingScopes } from './setting-scopes.ts';
import { isSettingName, settings } from './settings.ts';

test('scopes of settings go from wide to near, and most settings have one value', () => {
  const names = Object.keys(settings).filter(isSettingName);
  for (const name of names) {
    const order = scopesOf(name).map((scope) => settingScopes.indexOf(scope));
    assert.deepEqual(
      order,
      order.toSorted((a, b) => a - b),
      name,
    );
  }
  assert.deepEqual(scopesOf('mem.overprovisioning.factor'), ['cluster']);
  assert.deepEqual(scopesOf('direct.download.egress.allowed.cidrs'), ['zone']);
  assert.deepEqual(scopesOf('session.timeout'), []);
  assert.ok(names.filter((name) => scopesOf(name).length === 0).length > 15);
});
