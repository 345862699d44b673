import assert from 'node:assert/strict';
import { test } from 'node:test';
import { specs } from '@millrace/api';
import { allows, beyond, isRule, mayCall, type RoleRule } from './role-rules.ts';

const rule = (text: string): RoleRule => {
  const [permission, name] = text.split(' ');
  return { rule: name!, permission: permission as 'allow' | 'deny' };
};
const everything = [rule('allow *')];

test('the first rule that fits decides, whatever the case', () => {
  const rules = ['deny listHosts', 'allow list*', 'allow deployVirtualMachine', 'deny *'].map(rule);
  assert.equal(allows(rules, 'listHosts'), false);
  assert.equal(allows(rules, 'LISTZONES'), true);
  assert.equal(allows(rules, 'deployvirtualmachine'), true);
  assert.equal(allows(rules, 'deployVirtualMachineX'), false);
  assert.equal(allows(rules, 'startVirtualMachine'), false);
});

test('what no rule fits is denied, but for finding out and leaving', () => {
  assert.equal(allows([], 'listZones'), false);
  assert.equal(allows([], 'listApis'), true);
  assert.equal(allows([rule('deny *')], 'logout'), true);
});

test('a rule gives an account no more than its type has', () => {
  assert.equal(mayCall({ role: 'user', rules: everything }, specs.listHosts), false);
  assert.equal(mayCall({ role: 'admin', rules: everything }, specs.listHosts), true);
});

test('a role is beyond another when it may call one thing more', () => {
  const reader = { role: 'admin', rules: [rule('allow list*')] } as const;
  const root = { role: 'admin', rules: everything } as const;
  assert.equal(beyond(root, reader), undefined);
  assert.notEqual(beyond(reader, root), undefined);
  assert.notEqual(beyond({ role: 'domainadmin', rules: everything }, root), undefined);
});

for (const [text, legal] of [
  ['*', true],
  ['list*', true],
  ['LISTZones', true],
  ['listZonez', false],
  ['flarg*', false],
  ['li*st', false],
  ['', false],
] as const)
  test(`“${text}” is ${legal ? 'a' : 'no'} rule`, () => assert.equal(isRule(text), legal));
