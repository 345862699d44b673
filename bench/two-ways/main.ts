import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { createReadStream } from 'node:fs';
import { mkdir, open, readdir, rm, stat } from 'node:fs/promises';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { runProgram } from '@millrace/core';
import { type LabCloud, startLabCloud, until } from '../../test/e2e/lab-cloud.ts';
import { microGuestDisk } from '../../test/fixtures/micro-guest.ts';
import { type LabHost, labAddress } from '../../test/lab/lab-host.ts';

/** The same image by direct download and by secondary storage, onto three pools. See README.md. */

const mebibyte = 1024 ** 2;
const imageMiB = Number(process.argv[2] ?? 512);
const sourceBytesPerSecond = Number(process.argv[3] ?? 50) * 1e6;
const rounds = Number(process.argv[4] ?? 3);
const { signal } = new AbortController();

interface Way {
  readonly firstMs: number;
  readonly thirdMs: number;
  readonly fromSource: number;
  readonly fromStore: number;
  readonly onPools: number;
  readonly onStore: number;
}

async function makeImage(directory: string): Promise<string> {
  const raw = join(directory, 'two-ways.raw');
  const file = await open(raw, 'w');
  await file.write(microGuestDisk({ tag: 'lab', powersOffAfterSeconds: 0 }), 0, undefined, 0);
  for (let at = 1; at <= imageMiB; at++) await file.write(randomBytes(mebibyte), 0, mebibyte, at * mebibyte);
  await file.close();
  const image = join(directory, 'two-ways.qcow2');
  await runProgram('qemu-img', ['convert', '-f', 'raw', '-O', 'qcow2', raw, image], { signal });
  await rm(raw);
  return image;
}

/** All connections share the source's rate. */
function makeSource(image: string, size: number) {
  const sent = { bytes: 0 };
  let free = performance.now();
  const answer = async (request: IncomingMessage, response: ServerResponse) => {
    const range = /^bytes=(\d+)-(\d*)$/.exec(request.headers.range ?? '');
    const first = Number(range?.[1] ?? 0);
    const last = range?.[2] ? Math.min(size - 1, Number(range[2])) : size - 1;
    response.writeHead(range ? 206 : 200, {
      'content-length': last - first + 1,
      'accept-ranges': 'bytes',
      etag: '"two-ways"',
      ...(range ? { 'content-range': `bytes ${first}-${last}/${size}` } : {}),
    });
    if (request.method === 'HEAD') return void response.end();
    const closed = once(response, 'close');
    for await (const chunk of createReadStream(image, { start: first, end: last }) as AsyncIterable<Buffer>) {
      free = Math.max(free, performance.now()) + (1000 * chunk.length) / sourceBytesPerSecond;
      await sleep(free - performance.now());
      if (response.destroyed) return;
      sent.bytes += chunk.length;
      if (!response.write(chunk)) await Promise.race([once(response, 'drain'), closed]);
    }
    response.end();
  };
  const server = createServer((request, response) => {
    answer(request, response).catch(() => response.destroy());
  });
  return { server, sent };
}

async function bytesIn(directory: string): Promise<number> {
  const names = (await readdir(directory)).filter((name) => name.endsWith('.qcow2'));
  const found = await Promise.all(names.map((name) => stat(join(directory, name))));
  return found.reduce((sum, { blocks, size }) => sum + (size > mebibyte ? blocks * 512 : 0), 0);
}

async function deployOn(cloud: LabCloud, host: LabHost, templateid: string, name: string) {
  const { api } = cloud.instance;
  const began = performance.now();
  const hostid = String((await cloud.hostNamed(host.name))!['id']);
  const job = await api.run(
    'deployVirtualMachine',
    { ...cloud.deployment(templateid, name), hostid },
    600_000,
  );
  if (job.jobstatus !== 1) throw new Error(JSON.stringify(job));
  const ms = performance.now() - began;
  const { id } = job.jobresult!['virtualmachine'] as { id: string };
  const sources = job.jobattempts!.flatMap((attempt) => attempt.sources);
  const fromStore = sources
    .filter(({ url }) => url.includes('/image/'))
    .reduce((sum, { bytes }) => sum + bytes, 0);
  return { ms, id, fromStore };
}

async function oneWay(
  cloud: LabCloud,
  options: {
    readonly direct: boolean;
    readonly url: string;
    readonly store: string;
    readonly sent: { bytes: number };
  },
): Promise<Way> {
  const { api } = cloud.instance;
  options.sent.bytes = 0;
  const began = performance.now();
  const [row] = await api.list('registerTemplate', {
    name: options.direct ? 'direct' : 'classical',
    displaytext: 'two ways',
    url: options.url,
    format: 'QCOW2',
    hypervisor: 'KVM',
    zoneid: cloud.zoneid,
    directdownload: String(options.direct),
  });
  const id = String(row!['id']);
  await until('the template is ready', 600_000, async () => {
    const [now] = await api.list('listTemplates', { templatefilter: 'all', id });
    return now!['isready'] === true ? true : undefined;
  });
  const vms = [];
  for (const [index, host] of cloud.hosts.entries()) {
    vms.push(await deployOn(cloud, host, id, `${options.direct ? 'direct' : 'classical'}-${index}`));
    if (index === 0) vms[0] = { ...vms[0]!, ms: performance.now() - began };
  }
  const pools = await Promise.all(cloud.hosts.map(({ directory }) => bytesIn(join(directory, 'pool'))));
  const way = {
    firstMs: vms[0]!.ms,
    thirdMs: vms[2]!.ms,
    fromSource: options.sent.bytes,
    fromStore: vms.reduce((sum, { fromStore }) => sum + fromStore, 0),
    onPools: pools.reduce((sum, bytes) => sum + bytes, 0),
    onStore: await bytesIn(options.store),
  };
  for (const vm of vms) await api.run('destroyVirtualMachine', { id: vm.id, expunge: 'true' });
  await api.run('deleteTemplate', { id }, 120_000);
  return way;
}

const median = (values: readonly number[]) =>
  values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)]!;

function show(name: string, ways: readonly Way[]): string {
  const of = (key: keyof Way) => median(ways.map((way) => way[key]));
  const seconds = (key: keyof Way) => (of(key) / 1000).toFixed(1);
  const spread = (key: keyof Way) =>
    `${(Math.min(...ways.map((way) => way[key])) / 1000).toFixed(1)}–${(Math.max(...ways.map((way) => way[key])) / 1000).toFixed(1)}`;
  const mib = (key: keyof Way) => Math.round(of(key) / mebibyte);
  return `| ${name} | ${seconds('firstMs')} s (${spread('firstMs')}) | ${seconds('thirdMs')} s (${spread('thirdMs')}) | ${mib('fromSource')} | ${mib('fromStore')} | ${mib('onPools')} | ${mib('onStore')} |`;
}

await using cloud = await startLabCloud();
const image = await makeImage(cloud.work);
const { size } = await stat(image);
const { server, sent } = makeSource(image, size);
server.listen(0, labAddress);
await new Promise((go) => server.once('listening', go));
try {
  const store = join(cloud.instance.dataDir, 'image-store');
  await mkdir(store, { recursive: true });
  await cloud.instance.api.call('addImageStore', { provider: 'Local', url: `file://${store}` });
  for (const number of [41, 42, 43]) await cloud.addHost(number);
  const url = `http://${labAddress}:${(server.address() as AddressInfo).port}/two-ways.qcow2`;
  const direct: Way[] = [];
  const classical: Way[] = [];
  for (let round = 1; round <= rounds; round++) {
    direct.push(await oneWay(cloud, { direct: true, url, store, sent }));
    classical.push(await oneWay(cloud, { direct: false, url, store, sent }));
    console.log(`round ${round} of ${rounds} done`);
  }
  console.log(
    `\nimage ${Math.round(size / mebibyte)} MiB, source ${sourceBytesPerSecond / 1e6} MB/s, three pools; MiB, medians`,
  );
  console.log(
    '| way | registration to first VM | first VM on the third pool | from the source | from the store | on pools | on the store |',
  );
  console.log('|---|---|---|---|---|---|---|');
  console.log(show('direct download', direct));
  console.log(show('secondary storage', classical));
} finally {
  server.closeAllConnections();
  server.close();
}
