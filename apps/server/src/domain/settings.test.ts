import assert from 'node:assert/strict';
import { test } from 'node:test';
import { fetchPolicy } from '@millrace/agent-protocol';
import { fetchPolicyFrom } from './fetch-policy.ts';
import { cidrsOf, parseSetting, type SettingDefinition, settings, settingsFrom } from './settings.ts';

for (const [name, definition] of Object.entries<SettingDefinition>(settings)) {
  test(`the default of ${name} is a legal value of it`, () => {
    assert.deepEqual(parseSetting(definition, String(definition.default)), { value: definition.default });
  });
}

test('numbers are whole and within their range', () => {
  const definition = settings['direct.download.checksum.attempts'];
  assert.deepEqual(parseSetting(definition, ' 5 '), { value: 5 });
  for (const text of ['', '0', '11', '1.5', '1e1', '-1', '٣', 'NaN']) {
    assert.ok('problem' in parseSetting(definition, text), text);
  }
});

test('over-commitment takes fractions', () => {
  const definition = settings['mem.overprovisioning.factor'];
  assert.deepEqual(parseSetting(definition, '1.50'), { value: 1.5 });
  for (const text of ['0.9', '10.5', '1.', '.5', '1e1', '1.00001', '1,5'])
    assert.deepEqual(parseSetting(definition, text), { problem: 'must be a number from 1 to 10' }, text);
});

test('CIDR lists take both families, and every entry must be one', () => {
  const definition = settings['direct.download.egress.allowed.cidrs'];
  assert.deepEqual(parseSetting(definition, '10.0.0.0/8, fd00::/8,127.0.0.1/32'), {
    value: '10.0.0.0/8, fd00::/8,127.0.0.1/32',
  });
  for (const text of [
    '10.0.0.0',
    '10.0.0.0/33',
    'fd00::/129',
    '10.0.0/8',
    'a/8',
    'fe80::%eth0/64',
    '10.0.0.0/8/8',
  ]) {
    assert.ok('problem' in parseSetting(definition, text), text);
  }
  assert.deepEqual(cidrsOf(' 10.0.0.0/8, ,fd00::/8'), ['10.0.0.0/8', 'fd00::/8']);
});

test('stored values are used, those that are no longer legal are not', () => {
  const values = settingsFrom(
    new Map([
      ['direct.download.connect.timeout', '700'],
      ['direct.download.checksum.attempts', 'many'],
      ['removed.long.ago', '1'],
    ]),
  );
  assert.equal(values['direct.download.connect.timeout'], 700);
  assert.equal(values['direct.download.checksum.attempts'], 3);
});

test('the fetch policy that settings make is one that hosts accept', () => {
  const policy = fetchPolicyFrom(
    settingsFrom(
      new Map([
        ['direct.download.source.order', 'location'],
        ['direct.download.egress.allowed.cidrs', '127.0.0.0/8,fd00::/8'],
      ]),
    ),
  );
  assert.deepEqual(fetchPolicy.parse(policy), policy);
  assert.equal(policy.sourceOrder, 'location');
  assert.deepEqual(policy.egressAllowedCidrs, ['127.0.0.0/8', 'fd00::/8']);
  assert.equal(policy.checksumAttempts, 3);
});
