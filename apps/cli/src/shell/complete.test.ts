import assert from 'node:assert/strict';
import { test } from 'node:test';
import { decodeApis } from '@millrace/api-client';
import { makeCatalogue } from '../catalogue/catalogue.ts';
import { someApis } from '../testing/fake-api.ts';
import { type CompletionDependencies, complete } from './complete.ts';
import { candidatesOf, listCommandFor, listingParams } from './value-source.ts';

const catalogue = makeCatalogue(decodeApis({ api: someApis }));
const templates = [
  { value: 'a1', description: 'Debian 12' },
  { value: 'a2', description: 'Alpine' },
  { value: 'b1', description: 'Arch' },
  { value: 'c1', description: 'Debian 13' },
];
const deps: CompletionDependencies = {
  catalogue: async () => catalogue,
  profileNames: async () => ['local', 'prod'],
  listValues: async (_command, param) => (param.name === 'templateid' ? templates : []),
};

for (const [line, expected] of [
  ['li', ['list']],
  ['re', ['register']],
  ['listV', ['listVirtualMachines']],
  ['se', ['set', 'server']],
  ['list ', ['templates', 'virtualmachines', 'zones']],
  ['list z', ['zones']],
  ['LIST Z', ['zones']],
  ['list zones ', ['id=', 'name=', 'listall=', 'filter=']],
  ['listZones na', ['name=']],
  ['list zones name=x ', ['id=', 'listall=', 'filter=']],
  ['register template ', ['name=', 'url=', 'directdownload=', 'details[0].', 'zoneid=', 'filter=']],
  ['register template directdownload=', ['directdownload=true', 'directdownload=false']],
  ['register template directdownload=t', ['directdownload=true']],
  [
    'list templates templatefilter=s',
    ['templatefilter=self', 'templatefilter=selfexecutable', 'templatefilter=sharedexecutable'],
  ],
  ['list zones filter=n', ['filter=name', 'filter=networktype']],
  ['list zones filter=id,all', ['filter=id,allocationstate']],
  ['deploy virtualmachine templateid=', ['templateid=a1', 'templateid=a2', 'templateid=b1', 'templateid=c1']],
  ['deploy virtualmachine templateid=a', ['templateid=a1', 'templateid=a2']],
  ['deploy virtualmachine templateid=deb', ['templateid=a1', 'templateid=c1']],
  ['deploy virtualmachine templateid=arc', ['templateid=b1']],
  // what has no effect is offered only to whoever types its name
  ['deploy virtualmachine ', ['templateid=', 'zoneid=', 'userdata=', 'filter=']],
  ['deploy virtualmachine gr', ['group=']],
  ['deploy virtualmachine templateid=zz', []],
  ['deploy virtualmachine nosuch=', []],
  ['-o json list zo', ['zones']],
  ['--ou', ['--output']],
  ['list zones -o ', ['table', 'json', 'text', 'csv']],
  ['-p p', ['prod']],
  ['set ', ['profile', 'url', 'apikey', 'secretkey', 'username', 'password', 'domain', 'output']],
  ['set output t', ['table', 'text']],
  ['set profile l', ['local']],
  ['set url ', []],
  ['show ', ['config']],
  ['completion ', ['bash', 'zsh']],
  ['help list t', ['templates']],
  ['fetch http://m/a --fo', ['--format', '--force']],
  ['fetch http://m/a --format ', ['qcow2', 'raw', 'iso']],
  ['nonsense noun ', []],
] as const) {
  test(`Tab after ${JSON.stringify(line)} offers ${expected.join(' ') || 'nothing'}`, async () => {
    const { candidates } = await complete(line, deps);
    assert.deepEqual(
      candidates.map(({ value }) => value),
      expected,
    );
  });
}

test('after @, and where a directory is wanted, files are meant', async () => {
  assert.equal((await complete('deploy virtualmachine userdata=@/tm', deps)).filesAfter, 'userdata=@');
  assert.equal((await complete('fetch http://m/a --to /tm', deps)).filesAfter, '');
});

test('without a catalogue own commands are offered all the same', async () => {
  const { candidates } = await complete('s', { ...deps, catalogue: async () => undefined });
  assert.deepEqual(
    candidates.map(({ value }) => value),
    ['set', 'show', 'sync', 'server'],
  );
});

test('the list that has the values of a parameter is found by its name', () => {
  const find = (name: string, param: string) => {
    const command = catalogue.byName.get(name)!;
    const described = command.api.params.find((entry) => entry.name === param)!;
    return listCommandFor(catalogue, command, described)?.api.name;
  };
  assert.equal(find('deployvirtualmachine', 'templateid'), 'listTemplates');
  assert.equal(find('deployvirtualmachine', 'zoneid'), 'listZones');
  assert.equal(find('stopvirtualmachine', 'id'), 'listVirtualMachines');
  assert.equal(find('listzones', 'id'), 'listZones');
  assert.equal(find('registertemplate', 'name'), undefined);
});

test('a list is asked for what could be meant, with the arguments it has', () => {
  assert.deepEqual(listingParams(catalogue.byName.get('listtemplates')!), { templatefilter: 'executable' });
  assert.deepEqual(listingParams(catalogue.byName.get('listzones')!), { listall: 'true' });
});

test('ids are offered with the name and the state of the thing', () => {
  const list = catalogue.byName.get('listvirtualmachines')!;
  const param = list.api.params[0]!;
  assert.deepEqual(
    candidatesOf(
      { count: 2, virtualmachine: [{ id: 'v1', name: 'web', state: 'Running' }, { id: 'v2' }, {}] },
      list,
      param,
    ),
    [{ value: 'v1', description: 'web, Running' }, { value: 'v2' }],
  );
});
