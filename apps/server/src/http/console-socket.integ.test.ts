import assert from 'node:assert/strict';
import { Duplex } from 'node:stream';
import { type TestContext, test } from 'node:test';
import { sql } from 'kysely';
import { WebSocket } from 'ws';
import { usableProbe } from './testing/fake-ports.ts';
import { addHost, addTenant, type Keys, rows, type TestApi, withTestApi } from './testing/test-api.ts';

interface ConsoleCloud extends TestApi {
  readonly vmId: string;
  readonly hostId: number;
  permission(keys?: Keys, params?: Record<string, string>): Promise<{ token: string; url: string }>;
}

/** A running instance of the admin's. */
async function withInstance(t: TestContext): Promise<ConsoleCloud> {
  const api = await withTestApi(t);
  const { hostId } = await addHost(api.database, 'host1');
  api.agents.answers['image.probe'] = () => usableProbe();
  const zoneid = api.ids.zoneId;
  const url = 'https://images.example/tiny.qcow2';
  const registration = { name: 'tiny', displaytext: 'tiny', format: 'QCOW2', hypervisor: 'KVM', url, zoneid };
  const template = rows(await api.call('registerTemplate', registration))[0]!;
  const offering = rows(await api.call('listServiceOfferings', { name: 'Micro' }))[0]!;
  const deployed = await api.call('deployVirtualMachine', {
    zoneid,
    templateid: String(template['id']),
    serviceofferingid: String(offering['id']),
    name: 'guest',
  });
  const vmId = String(deployed.content['id']);
  await api.database.updateTable('vm_instance').set({ state: 'Running', host_id: hostId }).execute();
  return {
    ...api,
    vmId,
    hostId,
    async permission(keys = api.admin, params = {}) {
      const answer = await api.call('createConsoleEndpoint', { virtualmachineid: vmId, ...params }, keys);
      assert.equal(answer.status, 200, answer.text);
      const { websocket, url: page } = answer.content['consoleendpoint'] as {
        websocket: { token: string; host: string; port: string; path: string };
        url: string;
      };
      assert.equal(`http://${websocket.host}:${websocket.port}`, new URL(api.url).origin);
      assert.equal(websocket.path, 'client/console');
      return { token: websocket.token, url: page };
    },
  };
}

/** A guest that says everything twice. */
function makeGuest(): Duplex {
  return new Duplex({
    read() {},
    write(chunk: Buffer, _, done) {
      this.push(Buffer.concat([chunk, chunk]));
      done();
    },
  });
}

function connect(api: TestApi, token: string, headers: Record<string, string> = {}) {
  const url = new URL(`/client/console?token=${token}`, api.url);
  url.protocol = 'ws:';
  const socket = new WebSocket(url, { headers });
  const closed = Promise.withResolvers<{ code: number; reason: string }>();
  const first = Promise.withResolvers<string>();
  socket.on('message', (data) => first.resolve(String(data)));
  socket.on('close', (code, reason) => closed.resolve({ code, reason: String(reason) }));
  socket.on('error', (error) => closed.resolve({ code: 0, reason: error.message }));
  return { socket, closed: closed.promise, first: first.promise };
}

test('what is typed reaches the guest, what it says comes back, and the guest’s end is told', async (t) => {
  const cloud = await withInstance(t);
  const guest = makeGuest();
  cloud.consoles.guest = guest;
  const { token, url } = await cloud.permission(cloud.admin, { consoletype: 'serial' });
  assert.match(url, /\/console#token=[\w-]{43}&type=serial&name=guest$/);
  const { socket, first, closed } = connect(cloud, token);
  // before the guest is there
  socket.on('open', () => socket.send('ls\n'));
  assert.equal(await first, 'ls\nls\n');
  const [opened] = cloud.consoles.opened;
  assert.equal(opened!.hostId, cloud.hostId);
  assert.equal(opened!.request.kind, 'serial');
  assert.equal(opened!.request.vm.uuid, cloud.vmId);
  guest.push(null);
  assert.deepEqual(await closed, { code: 4410, reason: 'the guest or its host closed the console' });
  assert.equal(guest.destroyed, true);
  const events = rows(await cloud.call('listEvents', { type: 'VM.CONSOLE' }));
  assert.equal(events[0]!['description'], 'the serial console of instance guest was asked for');
});

test('a client that goes away ends the guest’s side', async (t) => {
  const cloud = await withInstance(t);
  const guest = makeGuest();
  cloud.consoles.guest = guest;
  const { socket, first } = connect(cloud, (await cloud.permission()).token);
  socket.on('open', () => socket.send('x'));
  await first;
  const ended = Promise.withResolvers<void>();
  guest.once('close', ended.resolve);
  socket.terminate();
  await ended.promise;
});

test('a token is good once, for a minute, for a running instance and for a user who may still act', async (t) => {
  const cloud = await withInstance(t);
  const refused = { code: 4403, reason: 'this link was used before or is too old: open the console again' };
  const closedWith = async (token: string) => connect(cloud, token).closed;

  const { token: once } = await cloud.permission();
  assert.equal((await closedWith(once)).code, 4502);
  assert.deepEqual(await closedWith(once), refused);
  assert.deepEqual(await closedWith('nonsense'), refused);
  assert.deepEqual(await closedWith(''), refused);

  const { token: old } = await cloud.permission();
  await sql`update console_session set expires = now() where acquired is null`.execute(cloud.database);
  assert.deepEqual(await closedWith(old), refused);

  const { token: forStopped } = await cloud.permission();
  await cloud.database.updateTable('vm_instance').set({ state: 'Stopped' }).execute();
  assert.deepEqual(await closedWith(forStopped), refused);
  await cloud.database.updateTable('vm_instance').set({ state: 'Running' }).execute();

  const { token: forDisabled } = await cloud.permission();
  await cloud.database.updateTable('user').set({ state: 'disabled' }).execute();
  assert.deepEqual(await closedWith(forDisabled), refused);
  assert.equal(cloud.consoles.opened.length, 1);
});

test('a host that is away is told as the reason', async (t) => {
  const cloud = await withInstance(t);
  const { closed } = connect(cloud, (await cloud.permission()).token);
  assert.deepEqual(await closed, { code: 4502, reason: 'the host is away' });
});

test('pages of other sites and other paths get no console, and use up no token', async (t) => {
  const cloud = await withInstance(t);
  const { token } = await cloud.permission();
  const foreign = await connect(cloud, token, { origin: 'https://evil.example' }).closed;
  assert.match(foreign.reason, /404/);
  const own = connect(cloud, token, { origin: new URL(cloud.url).origin });
  assert.equal((await own.closed).code, 4502);
});

test('only who may see a running instance is given a way to its console', async (t) => {
  const cloud = await withInstance(t);
  const tenant = await addTenant(cloud.database, 'tenant');
  const ask = (params: Record<string, string>, keys?: Keys) =>
    cloud.call('createConsoleEndpoint', { virtualmachineid: cloud.vmId, ...params }, keys);
  assert.equal((await ask({}, tenant)).status, 431);
  const strange = await ask({ consoletype: 'telepathy' });
  assert.equal(strange.status, 431);
  assert.match(String(strange.content['errortext']), /consoletype.*screen, serial/);
  await cloud.database.updateTable('vm_instance').set({ state: 'Stopped' }).execute();
  const stopped = await ask({});
  assert.match(
    String(stopped.content['errortext']),
    /guest is Stopped: only a running instance has a console/,
  );
  assert.deepEqual(await cloud.database.selectFrom('console_session').select('id').execute(), []);
});
