import { appendFile, mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { spawnProgram } from '@millrace/core';

/**
 * A real NFS server, versions 3 and 4, for one test file: rpcbind and nfs-ganesha on their standard ports. It belongs in
 * a machine of its own (test/machine), whose ports and /run are nobody else's.
 */
export interface NfsServer extends AsyncDisposable {
  /** What is exported: to clients at ports below 1024, as most exports are. */
  readonly directory: string;
  /** Ends the server as a power failure would, or only its portmapper. */
  crash(which?: 'portmapper'): Promise<void>;
  restart(): Promise<void>;
}

const startsWithinMs = 30_000;
const nfsPort = 2049;
const portmapperPort = 111;

/** @param options.writable exported as `/primary`, to be written by root; otherwise as `/images`, read-only */
export async function startNfsServer(options: { readonly writable?: boolean } = {}): Promise<NfsServer> {
  if (!process.env['MILLRACE_TEST_MACHINE']) {
    throw new Error('this would take ports of the real machine: sh test/machine/run-in-machine.sh COMMAND');
  }
  const directory = await mkdtemp(join(tmpdir(), 'nfs-server-'));
  const exported = join(directory, 'export');
  for (const path of [exported, join(directory, 'state'), '/run/ganesha', '/run/rpcbind']) {
    await mkdir(path, { recursive: true });
  }
  const configuration = join(directory, 'ganesha.conf');
  const log = join(directory, 'ganesha.log');
  await writeFile(
    configuration,
    configurationOf(exported, join(directory, 'state'), options.writable ?? false),
  );
  await appendFile(log, '');
  const startPortmapper = () => startDaemon('rpcbind', ['-f', '-w'], portmapperPort);
  const startNfs = () =>
    startDaemon(
      'ganesha.nfsd',
      ['-F', '-f', configuration, '-L', log, '-p', join(directory, 'ganesha.pid'), '-N', 'NIV_WARN'],
      nfsPort,
    );
  // NFS registers its ports with the portmapper as it starts
  let portmapper = await startPortmapper();
  let nfs: Daemon;
  try {
    nfs = await startNfs();
  } catch (error) {
    await portmapper.kill();
    throw new Error(`nfs-ganesha: ${(await readFile(log, 'utf8')).slice(-2000)}`, { cause: error });
  }
  return {
    directory: exported,
    async crash(which) {
      await (which === 'portmapper' ? portmapper : nfs).kill();
    },
    async restart() {
      await nfs.kill();
      await portmapper.kill();
      portmapper = await startPortmapper();
      nfs = await startNfs();
    },
    async [Symbol.asyncDispose]() {
      await nfs.kill();
      await portmapper.kill();
      await rm(directory, { recursive: true, force: true });
    },
  };
}

function configurationOf(exported: string, state: string, writable: boolean): string {
  const [name, access] = writable ? ['primary', 'RW'] : ['images', 'RO'];
  return `
    NFS_CORE_PARAM { Protocols = 3, 4; Enable_NLM = false; Enable_RQUOTA = false; Enable_UDP = false; mount_path_pseudo = true; fsid_device = true; }
    NFSv4 { Graceless = true; Lease_Lifetime = 10; Grace_Period = 1; RecoveryBackend = fs; RecoveryRoot = ${state}; Only_Numeric_Owners = true; }
    EXPORT {
      Export_Id = 1; Path = ${exported}; Pseudo = /${name}; Access_Type = ${access}; Squash = No_Root_Squash; SecType = sys; PrivilegedPort = true;
      Protocols = 3, 4; Transports = TCP; FSAL { Name = VFS; }
    }
  `;
}

interface Daemon {
  /** Resolves once it is gone. */
  kill(): Promise<void>;
}

async function startDaemon(file: string, argv: readonly string[], port: number): Promise<Daemon> {
  const stop = new AbortController();
  const child = spawnProgram(file, argv, { signal: stop.signal, stdio: ['ignore', 'ignore', 'ignore'] });
  const gone = Promise.withResolvers<void>();
  let failure: unknown;
  child.on('error', (error) => {
    if (!stop.signal.aborted) failure = error;
    if (child.pid === undefined) gone.resolve();
  });
  child.once('exit', (code) => {
    failure ??= new Error(`${file} ended with code ${code}`);
    gone.resolve();
  });
  const daemon = {
    async kill() {
      stop.abort();
      await gone.promise;
    },
  };
  const deadline = performance.now() + startsWithinMs;
  while (!(await answers(port))) {
    if (failure !== undefined || performance.now() > deadline) {
      await daemon.kill();
      throw failure ?? new Error(`${file} does not listen at port ${port}`);
    }
    await delay(20);
  }
  return daemon;
}

async function answers(port: number): Promise<boolean> {
  const { promise, resolve } = Promise.withResolvers<boolean>();
  const socket = connect({ host: '127.0.0.1', port });
  socket.once('connect', () => resolve(true));
  socket.on('error', () => resolve(false));
  const connected = await promise;
  socket.destroy();
  return connected;
}
