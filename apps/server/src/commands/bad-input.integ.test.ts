import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { test } from 'node:test';
import { type ParamSpec, specs } from '@millrace/api';
import { snapshotOf } from '../http/testing/snapshot.ts';
import { addTenant, withTestApi } from '../http/testing/test-api.ts';
import { commandTable } from './command-table.ts';

/** A value of the right form for a parameter's type. */
function legalValue(name: string, param: ParamSpec): Record<string, string> {
  switch (param.type) {
    case 'uuid':
      return { [name]: randomUUID() };
    case 'integer':
    case 'long':
    case 'short':
      return { [name]: '1' };
    case 'boolean':
      return { [name]: 'true' };
    case 'date':
      return { [name]: '2030-01-01' };
    case 'map':
      return { [`${name}[0].key`]: 'a', [`${name}[0].value`]: 'b' };
    default:
      return { [name]: randomUUID() };
  }
}

/** Values that break the rule of a parameter's type. */
function illegalValues(name: string, param: ParamSpec): Record<string, string>[] {
  switch (param.type) {
    case 'uuid':
      return [{ [name]: 'nonsense' }, { [name]: "1' or '1'='1" }];
    case 'integer':
    case 'long':
    case 'short':
      return [{ [name]: 'many' }, { [name]: '1.5' }, { [name]: '99999999999999999999' }];
    case 'boolean':
      return [{ [name]: 'maybe' }];
    case 'date':
      return [{ [name]: 'yesterday' }, { [name]: '2030-02-31 25:00:00' }];
    case 'map':
      return [{ [name]: 'a=b' }, { [`${name}[x].a`]: 'b' }, { [`${name}[0]`]: 'b' }];
    default:
      return [
        { [name]: 'x\0y' },
        ...(param.type === 'string' ? [{ [name]: 'x'.repeat(param.length + 1) }] : []),
      ];
  }
}

for (const { spec } of commandTable) {
  test(`${spec.name} refuses a malformed value of every parameter by its name and changes nothing`, async (t) => {
    const api = await withTestApi(t);
    const before = await snapshotOf(api.database);
    const required = Object.entries(spec.params).filter(([, param]) => param.required);
    for (const [name, param] of Object.entries(spec.params)) {
      const others = required.filter(([other]) => other !== name);
      const base = Object.assign({}, ...others.map(([other, of]) => legalValue(other, of)));
      for (const bad of illegalValues(name, param)) {
        const answer = await api.call(spec.name, { ...base, ...bad });
        assert.equal(answer.status, 431, `${JSON.stringify(bad).slice(0, 80)}: ${answer.text}`);
        assert.match(String(answer.content['errortext']), new RegExp(`\\b${name}\\b`));
      }
      if (param.required) {
        const answer = await api.call(spec.name, base);
        assert.equal(answer.status, 431);
        assert.match(String(answer.content['errortext']), new RegExp(`missing parameter ${name}$`));
      }
    }
    assert.deepEqual(await snapshotOf(api.database), before);
    assert.deepEqual(api.agents.calls, []);
  });
}

for (const { spec } of commandTable) {
  const refusedParams = Object.entries(spec.params).filter(
    ([, param]) => param.unsupported?.effect === 'refused',
  );
  if (refusedParams.length === 0) continue;
  test(`${spec.name} refuses every parameter it cannot do, with the reason, instead of ignoring it`, async (t) => {
    const api = await withTestApi(t);
    const required = Object.entries(spec.params).filter(([, param]) => param.required);
    const base = Object.assign({}, ...required.map(([name, param]) => legalValue(name, param)));
    for (const [name, param] of refusedParams) {
      const value = param.unsupported?.harmless?.includes('true')
        ? { [name]: 'false' }
        : legalValue(name, param);
      const answer = await api.call(spec.name, { ...base, ...value });
      assert.equal(answer.status, 431);
      assert.equal(
        answer.content['errortext'],
        `Invalid parameter ${name}: not supported: ${param.unsupported!.reason}`,
      );
    }
  });
}

test('parameters of administrators are refused from users by their name', async (t) => {
  const api = await withTestApi(t);
  const user = await addTenant(api.database, 'ann');
  const params = {
    hostid: randomUUID(),
    zoneid: randomUUID(),
    templateid: randomUUID(),
    serviceofferingid: randomUUID(),
  };
  const answer = await api.call('deployVirtualMachine', params, user);
  assert.equal(answer.status, 431);
  assert.equal(answer.content['errortext'], 'Invalid parameter hostid: only a root admin may use it');
});

test('a filter on what does not exist here finds nothing instead of everything', async (t) => {
  const api = await withTestApi(t);
  const all = await api.call('listNetworks', {});
  assert.equal(all.content['count'], 1);
  for (const filter of [
    { vpcid: randomUUID() },
    { 'tags[0].key': 'a', 'tags[0].value': 'b' },
    { vlan: '100' },
  ]) {
    assert.deepEqual((await api.call('listNetworks', filter as Record<string, string>)).content, {});
  }
  const harmless = await api.call('listNetworks', {
    projectid: '-1',
    canusefordeploy: 'True',
    forvpc: 'False',
  });
  assert.equal(harmless.content['count'], 1);
});

test('every command that is specified can be called, and the other way round', () => {
  const implemented = commandTable.map((command) => command.spec.name);
  const specified = Object.values(specs).map((spec) => spec.name);
  assert.deepEqual([...implemented, 'login', 'logout'].sort(), specified.sort());
});
