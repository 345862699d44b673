import { randomUUID } from 'node:crypto';
import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { runProgram, spawnProgram } from '@millrace/core';

/**
 * A real Ceph cluster of one monitor, one manager and one OSD on a sparse file, with cephx on. It belongs in a machine
 * of its own (test/machine), whose ports are nobody else's.
 */
export interface CephCluster extends AsyncDisposable {
  readonly monitor: string;
  readonly pool: string;
  readonly user: string;
  /** The key of the user, who has `profile rbd` in this pool, as operators give it to CloudStack. */
  readonly secret: string;
  /** As the cluster's administrator. */
  ceph(...argv: string[]): Promise<string>;
  /** What is in the pool, by the administrator's `rados`. */
  rados(...argv: string[]): Promise<string>;
}

const pool = 'primary';
const user = 'cloud';
const startsWithinMs = 120_000;

export async function startCeph(address = '127.0.0.1'): Promise<CephCluster> {
  if (!process.env['MILLRACE_TEST_MACHINE']) {
    throw new Error('this would take ports of the real machine: sh test/machine/run-in-machine.sh COMMAND');
  }
  const directory = await mkdtemp(join(tmpdir(), 'ceph-'));
  const stop = new AbortController();
  const at = (...names: string[]) => join(directory, ...names);
  for (const name of ['mon', 'mgr', 'osd', 'run', 'log']) await mkdir(at(name));
  const cluster = randomUUID();
  await writeFile(at('ceph.conf'), configurationOf(cluster, directory, address));
  const run = async (program: string, ...argv: string[]) => {
    const timeout = AbortSignal.timeout(startsWithinMs);
    return (await runProgram(program, argv, { signal: timeout })).stdout;
  };
  const ceph = (...argv: string[]) =>
    run('ceph', '-c', at('ceph.conf'), '-k', at('keyring'), '--connect-timeout', '60', ...argv);
  const rados = (...argv: string[]) =>
    run('rados', '-c', at('ceph.conf'), '-k', at('keyring'), '--pool', pool, ...argv);
  const exits: Promise<unknown>[] = [];
  const daemon = (program: string, ...argv: string[]) => {
    const child = spawnProgram(program, ['-f', '-c', at('ceph.conf'), ...argv], {
      signal: stop.signal,
      stdio: 'ignore',
    });
    const { promise, resolve } = Promise.withResolvers<void>();
    child.once('error', () => {
      if (child.pid === undefined) resolve();
    });
    child.once('exit', () => resolve());
    exits.push(promise);
  };
  const dispose = async () => {
    stop.abort();
    await Promise.all(exits);
    await rm(directory, { recursive: true, force: true });
  };
  try {
    const all = ['--cap', 'mon', 'allow *', '--cap', 'osd', 'allow *', '--cap', 'mgr', 'allow *'];
    await run(
      'ceph-authtool',
      '--create-keyring',
      at('keyring'),
      '--gen-key',
      '-n',
      'mon.',
      ...all.slice(0, 3),
    );
    await run('ceph-authtool', at('keyring'), '--gen-key', '-n', 'client.admin', ...all);
    await run('monmaptool', '--create', '--fsid', cluster, '--addv', 'a', monitorOf(address), at('monmap'));
    const key = ['--monmap', at('monmap'), '--keyring', at('keyring')];
    await run('ceph-mon', '-c', at('ceph.conf'), '--mkfs', '-i', 'a', ...key);
    await writeFile(at('mon', 'keyring'), await readFile(at('keyring')));
    daemon('ceph-mon', '-i', 'a');
    const mgr = ['mon', 'allow profile mgr', 'osd', 'allow *', 'mds', 'allow *'];
    await ceph('auth', 'get-or-create', 'mgr.x', ...mgr, '-o', at('mgr', 'keyring'));
    daemon('ceph-mgr', '-i', 'x');
    const disk = randomUUID();
    await ceph('osd', 'new', disk);
    const osd = ['mon', 'allow profile osd', 'osd', 'allow *', 'mgr', 'allow profile osd'];
    await ceph('auth', 'get-or-create', 'osd.0', ...osd, '-o', at('osd', 'keyring'));
    await run('ceph-osd', '-c', at('ceph.conf'), '-i', '0', '--mkfs', '--osd-uuid', disk);
    daemon('ceph-osd', '-i', '0');
    await ceph('osd', 'pool', 'create', pool, '8', '8', 'replicated');
    await ceph('osd', 'pool', 'application', 'enable', pool, 'rbd');
    const client = ['mon', 'profile rbd', 'osd', `profile rbd pool=${pool}`, 'mgr', 'profile rbd'];
    await ceph('auth', 'get-or-create', `client.${user}`, ...client);
    const secret = (await ceph('auth', 'get-key', `client.${user}`)).trim();
    await untilMeasured(ceph);
    return { monitor: `${address}:6789`, pool, user, secret, ceph, rados, [Symbol.asyncDispose]: dispose };
  } catch (error) {
    await dispose();
    throw error;
  }
}

/** The manager hears of the OSD's size some seconds after its start; until then the cluster tells 0. */
async function untilMeasured(ceph: (...argv: string[]) => Promise<string>): Promise<void> {
  const deadline = performance.now() + startsWithinMs;
  for (;;) {
    if (/"max_avail":[1-9]/.test(await ceph('df', '--format', 'json'))) return;
    if (performance.now() > deadline) throw new Error(`the OSD does not come up: ${await ceph('-s')}`);
    await delay(500);
  }
}

const monitorOf = (address: string) => `[v2:${address}:3300,v1:${address}:6789]`;

function configurationOf(cluster: string, directory: string, address: string): string {
  return `[global]
fsid = ${cluster}
mon_initial_members = a
mon_host = ${monitorOf(address)}
public_addr = ${address}
ms_bind_ipv6 = false
auth_cluster_required = cephx
auth_service_required = cephx
auth_client_required = cephx
osd_pool_default_size = 1
osd_pool_default_min_size = 1
osd_pool_default_pg_autoscale_mode = off
osd_crush_chooseleaf_type = 0
mon_allow_pool_size_one = true
mon_warn_on_pool_no_redundancy = false
log_file = ${directory}/log/$name.log
run_dir = ${directory}/run
admin_socket = ${directory}/run/$name.asok
[client]
log_file =
admin_socket =
[mon]
mon_data = ${directory}/mon
mon_data_avail_crit = 1
mon_data_avail_warn = 1
[mgr]
mgr_data = ${directory}/mgr
mgr_initial_modules =
[osd]
osd_data = ${directory}/osd
osd_objectstore = bluestore
bluestore_block_size = 10737418240
bluestore_block_wal_create = false
bluestore_block_db_create = false
bluestore_cache_autotune = false
bluestore_cache_size = 67108864
osd_memory_target = 939524096
osd_fast_shutdown = true
`;
}
