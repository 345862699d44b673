import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { test } from 'node:test';
import { type CommandSpec, type ParamSpec, specs } from '@millrace/api';
import { shareTestApi } from '../http/testing/shared-api.ts';
import { snapshotOf } from '../http/testing/snapshot.ts';
import { type Answer, addTenant, type Params, signedQuery, withTestApi } from '../http/testing/test-api.ts';
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

const shared = shareTestApi();
const form = { 'content-type': 'application/x-www-form-urlencoded' };

/** `zoneid` as `zOnEiD`: no client writes it so, and it is the same parameter. The keys of maps stay as they are. */
function inMixedCase(params: Params): Params {
  const mixed = (name: string) => [...name].map((c, i) => (i % 2 ? c.toUpperCase() : c)).join('');
  return Object.fromEntries(
    Object.entries(params).map(([name, value]) => {
      const end = name.includes('[') ? name.indexOf('[') : name.length;
      return [mixed(name.slice(0, end)) + name.slice(end), value];
    }),
  );
}

type Way = 'GET' | 'POST';
const ways: readonly Way[] = ['GET', 'POST'];

function ask(way: Way, params: Params): Promise<Answer> {
  const api = shared();
  const query = signedQuery(params, api.admin);
  // what no URL holds goes by POST
  return way === 'GET' && query.length < 200_000
    ? api.send(query)
    : api.send('', { method: 'POST', headers: form, body: query });
}

/** A refusal as every client takes it apart. @returns its text */
function refusalOf(command: string, answer: Answer): string {
  assert.equal(answer.status, 431, answer.text);
  assert.equal(answer.key, `${command.toLowerCase()}response`);
  assert.deepEqual(Object.keys(answer.content), ['uuidList', 'errorcode', 'cserrorcode', 'errortext']);
  assert.deepEqual([answer.content['errorcode'], answer.content['cserrorcode']], [431, 4350]);
  assert.match(answer.headers.get('content-type') ?? '', /^application\/json/);
  assert.doesNotMatch(answer.text, /[\r\n]|\.ts\b|node_modules|node:internal/);
  return String(answer.content['errortext']);
}

/** Everything that is wrong with a call of a command, each with the parameter that is to be named. */
function* wrongCalls(spec: CommandSpec): Generator<{ readonly named: string; readonly params: Params }> {
  const required = Object.entries(spec.params).filter(([, param]) => param.required);
  for (const [name, param] of Object.entries(spec.params)) {
    const others = required.filter(([other]) => other !== name);
    const base: Params = Object.assign({}, ...others.map(([other, of]) => legalValue(other, of)));
    for (const bad of illegalValues(name, param)) yield { named: name, params: { ...base, ...bad } };
    if (!param.required) continue;
    yield { named: `missing parameter ${name}`, params: base };
    // as clients send what their user has left out
    if (param.type !== 'map') yield { named: `missing parameter ${name}`, params: { ...base, [name]: '' } };
  }
}

for (const { spec } of commandTable) {
  test(`${spec.name} refuses whatever is malformed or missing by its name, by GET and by POST, and changes nothing`, async () => {
    const api = shared();
    const before = await snapshotOf(api.database);
    let calls = 0;
    for (const { named, params } of wrongCalls(spec)) {
      const plain = { command: spec.name, ...params };
      const strange = { ...inMixedCase(plain), signatureMethod: 'HmacSHA1', wholly: 'unknown', '_[x': '1' };
      // both ways and both spellings, each of the four in its turn
      const answer = await ask(ways[calls % 2]!, calls % 4 < 2 ? plain : strange);
      const text = refusalOf(spec.name, answer);
      assert.match(text, new RegExp(`\\b${named}\\b`), `${JSON.stringify(params).slice(0, 200)}: ${text}`);
      calls++;
    }
    assert.deepEqual(await snapshotOf(api.database), before);
    assert.deepEqual(api.agents.calls, []);
  });
}

test('both ways and both spellings of a call have the same answer', async () => {
  for (const { spec } of commandTable.filter((command) => /^(list|query|get)/.test(command.spec.name))) {
    const required = Object.entries(spec.params).filter(([, param]) => param.required);
    const params: Params = Object.assign(
      { command: spec.name },
      ...required.map(([name, param]) => legalValue(name, param)),
    );
    const first = await ask('GET', params);
    assert.ok(first.status === 200 || first.status === 431, first.text);
    assert.doesNotMatch(first.text, /[\r\n]/);
    for (const way of ways) {
      const again = await ask(way, { ...inMixedCase(params), wholly: 'unknown' });
      assert.deepEqual([again.status, again.text], [first.status, first.text], `${spec.name} by ${way}`);
    }
  }
});

for (const { spec } of commandTable) {
  const refusedParams = Object.entries(spec.params).filter(
    ([, param]) => param.unsupported?.effect === 'refused',
  );
  if (refusedParams.length === 0) continue;
  test(`${spec.name} refuses every parameter it cannot do, with the reason, instead of ignoring it`, async () => {
    const required = Object.entries(spec.params).filter(([, param]) => param.required);
    const base = Object.assign({}, ...required.map(([name, param]) => legalValue(name, param)));
    for (const [name, param] of refusedParams) {
      const value = param.unsupported?.harmless?.includes('true')
        ? { [name]: 'false' }
        : legalValue(name, param);
      const answer = await shared().call(spec.name, { ...base, ...value });
      assert.equal(
        refusalOf(spec.name, answer),
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
