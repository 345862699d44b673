import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { mkdir, open, readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { runProgram } from '@millrace/core';
import pg from 'pg';
import { microGuestLines } from '../fixtures/micro-guest.ts';
import { labAddress } from '../lab/lab-host.ts';
import { type LabCloud, startLabCloud, until } from './lab-cloud.ts';

/** The classical way: an image goes to secondary storage once, when it is registered, and from there to primary storage. */

let cloud: LabCloud;
let storeDirectory: string;
let store: Record<string, unknown>;
let template: string;
let vm: string;

const timeout = () => ({ signal: AbortSignal.timeout(10_000) });
const api = () => cloud.instance.api;
const sha256 = (bytes: Uint8Array) => createHash('sha256').update(bytes).digest('hex');

before(async () => {
  cloud = await startLabCloud();
  storeDirectory = join(cloud.instance.dataDir, 'image-store');
  await mkdir(storeDirectory, { recursive: true });
  // one image fits, two do not
  await runProgram('mount', ['-t', 'tmpfs', '-o', 'size=40m', 'store', storeDirectory], timeout());
  await cloud.addHost(31);
});
after(async () => {
  for (const one of [...(cloud?.hosts ?? [])]) await cloud.lose(one);
  if (storeDirectory) await runProgram('umount', ['--lazy', storeDirectory], timeout()).catch(() => {});
  await cloud?.[Symbol.asyncDispose]();
});

async function register(
  name: string,
  changes: Record<string, string> = {},
): Promise<Record<string, unknown>> {
  const [row] = await api().list('registerTemplate', {
    name,
    displaytext: 'guest',
    url: `http://${labAddress}:${cloud.imagePort}/${name}.qcow2`,
    format: 'QCOW2',
    hypervisor: 'KVM',
    zoneid: cloud.zoneid,
    ...changes,
  });
  return row!;
}

async function listed(id: string): Promise<Record<string, unknown>> {
  return (await api().list('listTemplates', { templatefilter: 'all', id }))[0]!;
}

const untilReady = (id: string) =>
  until('the template is ready', 60_000, async () => {
    const row = await listed(id);
    return row['isready'] === true ? row : undefined;
  });

test('without an image store templates are for hosts to download, and nothing else can be asked for', async () => {
  await assert.rejects(
    register('none', { directdownload: 'false' }),
    /directdownload: must be true: zone .* has no image store/,
  );
  const row = await register('direct');
  assert.equal(row['directdownload'], true);
  await api().run('deleteTemplate', { id: String(row['id']) });
});

test('an image store is a directory that its machine offers, and no other', async () => {
  const add = (url: string) => api().call('addImageStore', { provider: 'Local', url, name: 'images' });
  await assert.rejects(add('file:///etc'), /MILLRACE_STORE_PATHS/);
  await assert.rejects(add('nfs://nas/images'), /must be like file:/);
  assert.deepEqual(await api().list('listImageStores'), []);
  const answer = await add(`file://${storeDirectory}`);
  store = answer['imagestore'] as Record<string, unknown>;
  assert.deepEqual(
    [store['providername'], store['protocol'], store['readonly'], store['disksizetotal']],
    ['Local', 'file', false, 40 * 1024 ** 2],
  );
  const [worker] = await api().list('listSystemVms', { systemvmtype: 'secondarystoragevm' });
  assert.match(String(worker!['name']), /^s-\d+-VM$/);
  assert.equal(worker!['state'], 'Running');
});

test('a registered image comes to the store at once, and is shown on its way', async () => {
  cloud.requests.length = 0;
  // with a store, that is what is meant when nothing is said
  const row = await register('classical', { isextractable: 'true' });
  template = String(row['id']);
  assert.deepEqual([row['directdownload'], row['isready']], [false, false]);
  const early = api().call('deployVirtualMachine', cloud.deployment(template, 'early'));
  await assert.rejects(early, /templateid: classical is not on an image store yet: /);
  const ready = await untilReady(template);
  assert.equal(ready['status'], 'Download Complete');
  const [copy] = ready['downloaddetails'] as Record<string, string>[];
  assert.deepEqual(
    [copy!['datastore'], copy!['datastoreRole'], copy!['downloadState'], copy!['downloadPercent']],
    ['images', 'Image', 'DOWNLOADED', '100'],
  );
  assert.ok((await readdir(storeDirectory)).includes(`${template}.qcow2`));
});

test('with the source gone, a host copies it from the store, and the guest boots', async () => {
  cloud.requests.length = 0;
  cloud.misbehave = (_, response) => {
    response.writeHead(404).end();
    return true;
  };
  const job = await api().run('deployVirtualMachine', cloud.deployment(template, 'classical-1'));
  assert.equal(job.jobstatus, 1, JSON.stringify(job));
  vm = (job.jobresult!['virtualmachine'] as { id: string }).id;
  await cloud.untilGuestSays(vm, microGuestLines.up(1, 'lab'));
  assert.deepEqual(cloud.requests, []);
  const [source] = job.jobattempts![0]!.sources;
  assert.match(source!.url, /:8260\/image\/[\w-]+\.qcow2\?…$/);
  assert.ok(!JSON.stringify(job).includes('grant='), 'the link is nobody’s to read');
  const again = await api().run('deployVirtualMachine', cloud.deployment(template, 'classical-2'));
  assert.deepEqual(again.jobattempts![0]!.sources, [], 'once per pool');
});

test('it can be downloaded by users, until the link expires', async () => {
  const job = await api().run('extractTemplate', { id: template, mode: 'HTTP_DOWNLOAD' });
  assert.equal(job.jobstatus, 1, JSON.stringify(job));
  const offer = job.jobresult!['template'] as Record<string, string>;
  assert.deepEqual([offer['storagetype'], offer['state']], ['secondary', 'DOWNLOAD_URL_CREATED']);
  const answer = await fetch(offer['url']!);
  assert.equal(sha256(new Uint8Array(await answer.arrayBuffer())), sha256(cloud.image));
  // the grant outlives the process that made it
  const agent = await cloud.instance.pidOf('agent');
  process.kill(agent, 'SIGKILL');
  await until('the next agent serves it', 30_000, () =>
    fetch(offer['url']!, { method: 'HEAD' }).then(
      ({ status }) => (status === 200 ? true : undefined),
      () => undefined,
    ),
  );
});

test('a full store says so with figures, and keeps nothing of what did not fit', async () => {
  cloud.misbehave = undefined;
  const { id } = await register('too-much');
  const failed = await until('its job ends', 60_000, async () => {
    const row = await listed(String(id));
    return row['jobstatus'] === 2 ? row : undefined;
  });
  assert.equal(failed['isready'], false);
  assert.match(String(failed['status']), /space|full|free/i);
  await until('nothing is left', 10_000, async () =>
    (await readdir(storeDirectory)).every((name) => !name.includes(String(id))) ? true : undefined,
  );
  await api().run('deleteTemplate', { id: String(id) });
});

test('a copy that rots on the store is found, and comes again from the pool that has it', async () => {
  const file = await open(join(storeDirectory, `${template}.qcow2`), 'r+');
  await file.write(Buffer.from('rotten'), 0, 6, 2_000_000);
  await file.close();
  cloud.requests.length = 0;
  // the pool's own host serves nothing, so that here the source has it
  await api().call('updateConfiguration', { name: 'image.store.check.interval', value: '1' });
  await runDatabase(`update template_spool_ref set checked = now() - interval '2 hours'`);
  await until('it is told of', 60_000, async () =>
    (await api().list('listAlerts')).some(({ name }) => name === 'TEMPLATE.COPY.DAMAGED') ? true : undefined,
  );
  const ready = await untilReady(template);
  assert.equal(ready['status'], 'Download Complete');
  assert.ok(cloud.requests.length > 0);
});

test('what becomes a direct download leaves the store, and its instances run on', async () => {
  await api().call('updateTemplate', { id: template, directdownload: 'true' });
  await until('the store is empty', 60_000, async () =>
    (await readdir(storeDirectory)).some((name) => name.endsWith('.qcow2')) ? undefined : true,
  );
  const [row] = await api().list('listVirtualMachines', { id: vm });
  assert.equal(row!['state'], 'Running');
  assert.equal((await listed(template))['status'], 'Bypassed Secondary Storage');
  const deleted = await api().call('deleteImageStore', { id: String(store['id']) });
  assert.equal(deleted['success'], true);
  assert.deepEqual(await readdir(storeDirectory), []);
});

/** A week passes on the store. */
async function runDatabase(statement: string): Promise<void> {
  const environment = await readFile(`/proc/${await cloud.instance.pidOf('server')}/environ`, 'utf8');
  const client = new pg.Client({ connectionString: /DATABASE_URL=([^\0]+)/.exec(environment)![1]! });
  await client.connect();
  await client.query(statement);
  await client.end();
}
