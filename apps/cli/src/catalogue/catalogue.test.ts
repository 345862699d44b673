import assert from 'node:assert/strict';
import { test } from 'node:test';
import { UsageError } from '../failures.ts';
import { findCommand, makeCatalogue, spelling } from './catalogue.ts';

const api = (name: string) => ({ name, isasync: false, description: '', params: [], response: [] });
const catalogue = makeCatalogue(
  [
    'listVirtualMachines',
    'listZones',
    'listPolicies',
    'listOsTypes',
    'listAddresses',
    'deployVirtualMachine',
    'registerTemplate',
    'queryAsyncJobResult',
    'login',
    'listVPCs',
  ].map(api),
);

for (const [line, name, rest] of [
  ['list virtualmachines', 'listVirtualMachines', 0],
  ['list virtualmachine', 'listVirtualMachines', 0],
  ['LIST VirtualMachines state=Running', 'listVirtualMachines', 1],
  ['list virtual-machines', 'listVirtualMachines', 0],
  ['listVirtualMachines', 'listVirtualMachines', 0],
  ['listvirtualmachine id=x', 'listVirtualMachines', 1],
  ['list zone', 'listZones', 0],
  ['list policy', 'listPolicies', 0],
  ['list address', 'listAddresses', 0],
  ['list vpcs', 'listVPCs', 0],
  ['deploy virtualmachines name=a b=c', 'deployVirtualMachine', 2],
  ['query asyncjobresult jobid=1', 'queryAsyncJobResult', 1],
  ['login username=x', 'login', 1],
] as const) {
  test(`${line} is ${name}`, () => {
    const found = findCommand(catalogue, line.split(' '));
    assert.equal(found.command.api.name, name);
    assert.equal(found.rest.length, rest);
  });
}

for (const [line, message] of [
  ['list', /^What to list\? There are: addresses, ostypes, policies, virtualmachines, vpcs, zones\.$/],
  ['list name=x', /^What to list\?/],
  ['list virtualmachnies', /^Unknown command: list virtualmachnies\. Did you mean list virtualmachines\?$/],
  ['lst zones', /Did you mean list zones\?/],
  ['listZnes', /Did you mean list zones\?/],
  ['dploy', /Did you mean deploy\?/],
  ['list zo', /^Unknown command: list zo\. millrace list --help lists what there is\.$/],
  ['qqqqqq', /^Unknown command: qqqqqq\. millrace --help lists the commands\.$/],
] as const) {
  test(`${line} is an unknown command that a newer catalogue may know`, () => {
    assert.throws(
      () => findCommand(catalogue, line.split(' ')),
      (error) => error instanceof UsageError && error.dependsOnCatalogue && message.test(error.message),
    );
  });
}

test('a verb is the leading lower-case run of the name', () => {
  assert.deepEqual(
    catalogue.commands.map(spelling).filter((text) => !text.startsWith('list')),
    ['deploy virtualmachine', 'login', 'query asyncjobresult', 'register template'],
  );
});
