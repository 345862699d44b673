import assert from 'node:assert/strict';
import { test } from 'node:test';
import { fetchPolicyFrom } from './fetch-policy.ts';
import { parseSetting, settings, settingsFrom } from './settings.ts';

const key = '-----BEGIN PGP PUBLIC KEY BLOCK-----\n\nmQEN\n-----END PGP PUBLIC KEY BLOCK-----';

test('what is zero or empty limits nothing and demands nothing', () => {
  const policy = fetchPolicyFrom(settingsFrom(new Map()));
  assert.equal(policy.maxSources, 4);
  for (const name of [
    'minBytesPerSecond',
    'rateLimitBytesPerSecond',
    'hostRateLimitBytesPerSecond',
    'signatureKeys',
  ]) {
    assert.ok(!Object.hasOwn(policy, name), name);
  }
});

test('rates, counts and keys that are set reach the hosts', () => {
  const policy = fetchPolicyFrom(
    settingsFrom(
      new Map([
        ['direct.download.max.sources', '2'],
        ['direct.download.min.rate', '1000'],
        ['direct.download.rate.limit', '2000'],
        ['direct.download.host.rate.limit', '3000'],
        ['direct.download.signature.keys', `${key}\n${key}`],
      ]),
    ),
  );
  assert.equal(policy.maxSources, 2);
  assert.deepEqual(
    [policy.minBytesPerSecond, policy.rateLimitBytesPerSecond, policy.hostRateLimitBytesPerSecond],
    [1000, 2000, 3000],
  );
  assert.deepEqual(policy.signatureKeys, [key, key]);
});

test('what is no public key is refused', () => {
  const definition = settings['direct.download.signature.keys'];
  assert.ok('problem' in parseSetting(definition, 'a key'));
  assert.ok('problem' in parseSetting(definition, `${key} and more`));
  assert.ok('value' in parseSetting(definition, key));
});
