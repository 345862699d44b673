import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { JsonObject } from '@millrace/api-client';
import { type RenderOptions, render } from './render.ts';

const field = (name: string, type = 'string') => ({ name, type, description: '' });
const listMachines = {
  name: 'listVirtualMachines',
  isasync: false,
  description: '',
  params: [],
  response: [field('id'), field('name'), field('displayname'), field('state'), field('cpunumber', 'integer')],
};
const machines: JsonObject = {
  count: 12,
  virtualmachine: [
    {
      id: 'a1',
      name: 'web',
      state: 'Running',
      cpunumber: 2,
      nic: [{ id: 'n', ipaddress: '10.1.1.5' }, { ipaddress: '10.1.2.5' }],
      extra: { k: 'v' },
    },
    { id: 'b2', name: '東京, "x"', state: 'Stopped\u001b[2J', cpunumber: 16, nic: [] },
  ],
};

function show(answer: JsonObject, options: Partial<RenderOptions> = {}): string {
  return render(answer, { api: listMachines, format: 'table', ...options });
}

test('a table has the usual fields of its entity, lined up by their width on the screen', () => {
  assert.equal(
    show(machines),
    [
      'ID  NAME       STATE        NIC.IPADDRESS',
      'a1  web        Running      10.1.1.5, 10.1.2.5',
      'b2  東京, "x"  Stopped�[2J',
      'count = 2 of 12',
      '',
    ].join('\n'),
  );
});

test('a filter gives exactly its fields, in its order, numbers at the right', () => {
  assert.equal(
    show(machines, { filter: ['cpunumber', 'NAME', 'nothing'] }),
    ['CPUNUMBER  NAME       NOTHING', '        2  web', '       16  東京, "x"', 'count = 2 of 12', ''].join(
      '\n',
    ),
  );
});

test('a wide table has every field, described ones first', () => {
  assert.equal(
    show(machines, { wide: true, width: 20 }).split('\n')[0],
    'ID  NAME       STATE        CPUNUMBER  NIC                 EXTRA',
  );
});

test('a table is cut to the terminal, the widest column first', () => {
  const row = { id: 'a'.repeat(10), name: 'n', description: 'x'.repeat(40) };
  assert.equal(
    show({ count: 1, thing: [row] }, { width: 30 }),
    ['ID          NAME  DESCRIPTION', 'aaaaaaaaaa  n     xxxxxxxxxxx…', 'count = 1', ''].join('\n'),
  );
});

test('ids stay whole in a narrow terminal, and the last of the usual fields make way', () => {
  const id = '06632073-b47f-44ab-aef9-1ef8f4c048a2';
  const rows = [
    { id, name: 'second-of-many-names', state: 'Running', hostname: 'a-host-with-a-name', nic: [] },
  ];
  const lines = show({ count: 1, virtualmachine: rows }, { width: 70 }).split('\n');
  assert.equal(lines[0], 'ID                                    NAME                  STATE');
  assert.match(lines[1]!, new RegExp(`^${id} {2}second-of-many-names {2}Running$`));
  // what was asked for is there, however narrow
  const asked = show({ count: 1, virtualmachine: rows }, { width: 50, filter: ['id', 'name', 'hostname'] });
  assert.match(asked, new RegExp(`^${id} {2}second-… {2}a-host-…$`, 'm'));
});

test('sizes are for reading in a table, bytes elsewhere', () => {
  const template = { count: 1, template: [{ id: 't', name: 'n', size: 20_971_520 }] };
  assert.equal(show(template), 'ID  NAME     SIZE\nt   n     21.0 MB\ncount = 1\n');
  assert.match(show(template, { format: 'csv' }), /,20971520\r\n$/);
  assert.match(show(template, { format: 'text' }), /size = 20971520\n/);
});

test('a bare success is one word', () => {
  assert.equal(show({ success: true }), 'success\n');
  assert.equal(show({ success: false }), 'FIELD    VALUE\nsuccess  false\n');
  assert.equal(show({ success: true }, { format: 'text' }), 'success = true\n');
});

test('an empty list says so', () => {
  assert.equal(show({}), 'count = 0\n');
  assert.equal(show({ count: 0 }, { format: 'text' }), 'count = 0\n');
  assert.equal(show({}, { format: 'csv' }), '');
  assert.equal(show({}, { format: 'json', filter: ['id'] }), '{}\n');
});

test('an entity is a table of one row, bare fields and entities of unknown kinds are one line per field', () => {
  assert.equal(show({ capability: { a: 1, b: 'x' } }), 'FIELD  VALUE\na      1\nb      x\n');
  assert.equal(show({ capability: { a: 1, b: 'x' } }, { filter: ['b'] }), 'B\nx\n');
  assert.equal(show({ zone: { id: 'z', name: 'one' } }), 'ID  NAME\nz   one\n');
  assert.equal(
    show({ success: true, displaytext: 'ok' }),
    'FIELD        VALUE\nsuccess      true\ndisplaytext  ok\n',
  );
});

test('text has every field by its path, entities apart, the count last', () => {
  assert.equal(
    show(machines, { format: 'text' }),
    [
      'id = a1',
      'name = web',
      'state = Running',
      'cpunumber = 2',
      'nic[0].id = n',
      'nic[0].ipaddress = 10.1.1.5',
      'nic[1].ipaddress = 10.1.2.5',
      'extra.k = v',
      '',
      'id = b2',
      'name = 東京, "x"',
      'state = Stopped�[2J',
      'cpunumber = 16',
      '',
      'count = 2 of 12',
      '',
    ].join('\n'),
  );
  assert.equal(
    show(machines, { format: 'text', filter: ['name', 'nic.ipaddress'] }).split('\n\n')[0],
    'name = web\nnic.ipaddress = 10.1.1.5, 10.1.2.5',
  );
});

test('csv has every field, quotes what needs it and keeps nested values as JSON', () => {
  assert.equal(
    show(machines, { format: 'csv' }),
    [
      'id,name,state,cpunumber,nic,extra',
      'a1,web,Running,2,"[{""id"":""n"",""ipaddress"":""10.1.1.5""},{""ipaddress"":""10.1.2.5""}]","{""k"":""v""}"',
      'b2,"東京, ""x""",Stopped\u001b[2J,16,[],',
      '',
    ].join('\r\n'),
  );
  assert.equal(show(machines, { format: 'csv', filter: ['name'] }), 'name\r\nweb\r\n"東京, ""x"""\r\n');
});

test('json is what the server gave; a filter keeps the count and picks the fields', () => {
  assert.deepEqual(JSON.parse(show(machines, { format: 'json' })), machines);
  assert.deepEqual(JSON.parse(show(machines, { format: 'json', filter: ['name', 'nic.ipaddress'] })), {
    count: 12,
    virtualmachine: [
      { name: 'web', 'nic.ipaddress': ['10.1.1.5', '10.1.2.5'] },
      { name: '東京, "x"', 'nic.ipaddress': [] },
    ],
  });
  assert.deepEqual(JSON.parse(show({ zone: { id: 'z', name: 'n' } }, { format: 'json', filter: ['id'] })), {
    zone: { id: 'z' },
  });
  assert.doesNotMatch(show({ zone: { id: 'a\u009bb\u001b' } }, { format: 'json' }), /[\u001b\u009b]/);
});

test('an entity that nobody thought of shows its common fields', () => {
  assert.equal(
    show({ count: 1, gizmo: [{ weight: 1, name: 'g', id: 'i', state: 'On', a: 1 }] }).split('\n')[0],
    'ID  NAME  STATE',
  );
  assert.equal(show({ count: 1, gizmo: [{ a: 1, b: 2 }] }).split('\n')[0], 'A  B');
});
