import type { AgentMethods, ImageProgressMessage, ParamsOf, ResultOf } from '@millrace/agent-protocol';
import { orAborted, sleep } from '@millrace/core';
import type { AgentCallOptions, AgentGateway } from '../../agents/gateway.ts';
import { AgentCallError, Detached } from '../../domain/failure-policy.ts';

type Method = keyof AgentMethods;

export interface RecordedCall {
  readonly hostId: number;
  readonly method: Method;
  readonly operationId: string;
  readonly params: unknown;
}

type Script<M extends Method> = (
  params: ParamsOf<AgentMethods, M>,
  context: {
    readonly hostId: number;
    readonly signal: AbortSignal;
    readonly progress: (value: ImageProgressMessage) => void;
    /** What the host does when nothing is scripted. */
    readonly ordinary: () => Promise<ResultOf<AgentMethods, M>>;
  },
) => Promise<ResultOf<AgentMethods, M>>;

/** Hosts that keep files and domains in memory, keep operations by id as agents do, and misbehave on request. */
export interface FakeAgents extends AgentGateway {
  readonly calls: RecordedCall[];
  /** Replaces what a host does for a method; `undefined` brings the ordinary back. */
  script<M extends Method>(hostId: number | 'every', method: M, script: Script<M> | undefined): void;
  files(hostId: number): string[];
  domains(hostId: number): string[];
  lose(hostId: number, file: string): void;
  count(method: Method): number;
}

/** What every stored file is found to be. */
export const storedDigest = `{SHA-256}${'cd'.repeat(32)}`;
export const virtualSizeBytes = 1024 ** 3;

export function transferProgress(changes: Partial<ImageProgressMessage> = {}): ImageProgressMessage {
  return {
    phase: 'transferring',
    url: 'http://images.example.org/tiny.qcow2',
    bytes: 500,
    totalBytes: 1000,
    bytesPerSecond: 100,
    etaSeconds: 5,
    attempts: [],
    ...changes,
  };
}

interface Host {
  readonly files: Set<string>;
  readonly domains: Set<string>;
}

export function makeFakeAgents(): FakeAgents {
  const hosts = new Map<number, Host>();
  const scripts = new Map<string, Script<Method>>();
  const operations = new Map<
    string,
    { promise: Promise<unknown>; listeners: Set<(value: unknown) => void>; controller: AbortController }
  >();
  const calls: RecordedCall[] = [];
  const hostOf = (hostId: number) => {
    const host = hosts.get(hostId) ?? { files: new Set<string>(), domains: new Set<string>() };
    hosts.set(hostId, host);
    return host;
  };

  const run = async (
    call: RecordedCall,
    signal: AbortSignal,
    progress: (value: ImageProgressMessage) => void,
  ): Promise<unknown> => {
    // as on a real connection, nothing comes back before the caller listens
    await Promise.resolve();
    const host = hostOf(call.hostId);
    const expecting = [...calls].findLast(({ method }) => method === 'vm.migrate.expect')?.hostId;
    const moveTo = (uuid: string) => hostOf(expecting ?? call.hostId).domains.add(uuid);
    const ordinary = () => ordinaryAnswer(host, call, { signal, progress, moveTo });
    const script = scripts.get(`${call.hostId} ${call.method}`) ?? scripts.get(`every ${call.method}`);
    if (!script) return ordinary();
    return script(call.params as never, {
      hostId: call.hostId,
      signal,
      progress,
      ordinary: ordinary as () => Promise<never>,
    });
  };

  return {
    calls,
    async call(hostId, method, params, options: AgentCallOptions<typeof method>) {
      options.signal.throwIfAborted();
      const key = `${hostId} ${options.operationId}`;
      let operation = operations.get(key);
      if (!operation) {
        const call = { hostId, method, params, operationId: options.operationId };
        calls.push(call);
        const controller = new AbortController();
        const listeners = new Set<(value: unknown) => void>();
        const promise = run(call, controller.signal, (value) => {
          for (const listener of listeners) listener(value);
        });
        promise.catch(() => {});
        operation = { promise, listeners, controller };
        operations.set(key, operation);
      }
      const listener = options.onProgress as ((value: unknown) => void) | undefined;
      if (listener) operation.listeners.add(listener);
      try {
        return (await orAborted(operation.promise, options.signal)) as never;
      } catch (error) {
        if (options.signal.aborted && !(options.signal.reason instanceof Detached))
          operation.controller.abort(options.signal.reason);
        throw error;
      } finally {
        if (listener) operation.listeners.delete(listener);
      }
    },
    isConnected: () => true,
    disconnect: () => {},
    connectedHosts: () => [...hosts.keys()],
    script(hostId, method, script) {
      const key = `${hostId} ${method}`;
      if (script) scripts.set(key, script as Script<Method>);
      else scripts.delete(key);
    },
    files: (hostId) => [...hostOf(hostId).files].sort(),
    domains: (hostId) => [...hostOf(hostId).domains].sort(),
    lose: (hostId, file) => hostOf(hostId).files.delete(file),
    count: (method) => calls.filter((call) => call.method === method).length,
  };
}

async function ordinaryAnswer(
  host: Host,
  { method, params }: Pick<RecordedCall, 'method' | 'params'>,
  {
    signal,
    progress,
    moveTo,
  }: {
    readonly signal: AbortSignal;
    readonly progress: (value: ImageProgressMessage) => void;
    /** A domain arrives at the host that was told to expect one last. */
    readonly moveTo: (uuid: string) => void;
  },
): Promise<unknown> {
  switch (method) {
    case 'template.prepare': {
      const { installPath } = params as ParamsOf<AgentMethods, 'template.prepare'>;
      progress(transferProgress());
      await sleep(20, signal);
      host.files.add(installPath);
      return prepared(installPath);
    }
    case 'template.check': {
      const { installPath } = params as ParamsOf<AgentMethods, 'template.check'>;
      return { present: host.files.has(installPath) };
    }
    case 'template.digest':
    case 'image.serve': {
      const { installPath } = params as ParamsOf<AgentMethods, 'template.digest'>;
      if (!host.files.has(installPath))
        throw new AgentCallError('TEMPLATE_MISSING', 'the image is not there', { failureClass: 'next-host' });
      return method === 'image.serve'
        ? { path: `/image/${installPath}?grant=secret`, sizeBytes: 1000 }
        : { checksum: storedDigest, sizeBytes: 1000 };
    }
    case 'template.remove': {
      const { installPath } = params as ParamsOf<AgentMethods, 'template.remove'>;
      host.files.delete(installPath);
      return {};
    }
    case 'pool.stats':
      return { capacityBytes: 1000, availableBytes: 1000 };
    case 'pool.clean':
      return { removed: [] };
    case 'volume.create': {
      const { path, backing, sizeBytes } = params as ParamsOf<AgentMethods, 'volume.create'>;
      if (backing && !host.files.has(backing.installPath))
        throw new AgentCallError('BACKING_MISSING', 'the template is not there', {
          failureClass: 'next-host',
        });
      host.files.add(path);
      return {
        path,
        virtualSizeBytes: Math.max(backing ? virtualSizeBytes : 0, sizeBytes ?? 0),
        physicalSizeBytes: 196_608,
      };
    }
    case 'volume.attach':
    case 'volume.detach': {
      const { vm, disk } = params as ParamsOf<AgentMethods, 'volume.attach'>;
      if (method === 'volume.attach' && !host.files.has(disk.path))
        throw new AgentCallError('VOLUME_MISSING', 'the disk is not there', { failureClass: 'next-host' });
      return { state: host.domains.has(vm.uuid) ? 'Running' : 'Stopped' };
    }
    case 'volume.resize': {
      const { sizeBytes } = params as ParamsOf<AgentMethods, 'volume.resize'>;
      return { virtualSizeBytes: sizeBytes };
    }
    case 'volume.remove': {
      const { path } = params as ParamsOf<AgentMethods, 'volume.remove'>;
      host.files.delete(path);
      return {};
    }
    case 'vm.start': {
      const { vm } = params as ParamsOf<AgentMethods, 'vm.start'>;
      if (!host.files.has(vm.rootDisk.path))
        throw new AgentCallError('DISK_MISSING', 'the root disk is not there', { failureClass: 'next-host' });
      if (vm.cdrom && !host.files.has(vm.cdrom.path))
        throw new AgentCallError('TEMPLATE_MISSING', 'the ISO is not there', { failureClass: 'next-host' });
      host.domains.add(vm.uuid);
      return { state: 'Running', startedNow: true, startMs: 5 };
    }
    case 'vm.stop':
    case 'vm.remove': {
      const { vm } = params as ParamsOf<AgentMethods, 'vm.remove'>;
      host.domains.delete(vm.uuid);
      return method === 'vm.stop' ? { state: 'Stopped', forcedAfterTimeout: false } : {};
    }
    case 'vm.cdrom': {
      const { vm, path } = params as ParamsOf<AgentMethods, 'vm.cdrom'>;
      if (path !== undefined && !host.files.has(path))
        throw new AgentCallError('TEMPLATE_MISSING', 'the ISO is not there', { failureClass: 'next-host' });
      return { state: host.domains.has(vm.uuid) ? 'Running' : 'Stopped' };
    }
    case 'vm.state': {
      const { vm } = params as ParamsOf<AgentMethods, 'vm.state'>;
      return { state: host.domains.has(vm.uuid) ? 'Running' : 'Missing' };
    }
    case 'vm.migrate.expect': {
      const { vm } = params as ParamsOf<AgentMethods, 'vm.migrate.expect'>;
      return {
        state: host.domains.has(vm.uuid) ? 'Running' : 'Missing',
        port: 4711,
        poolPath: vm.pool.path,
      };
    }
    case 'vm.migrate.send': {
      const { vm } = params as ParamsOf<AgentMethods, 'vm.migrate.send'>;
      if (!host.domains.delete(vm.uuid)) return { state: 'Missing', moveMs: 0 };
      moveTo(vm.uuid);
      return { state: 'Missing', moveMs: 7 };
    }
    case 'vm.migrate.end':
      return {};
    case 'vm.reboot':
      return { state: 'Running' };
    default:
      throw new Error(`the fake does not know ${method}`);
  }
}

export function prepared(installPath: string): ResultOf<AgentMethods, 'template.prepare'> {
  return {
    installPath,
    format: 'qcow2',
    sizeBytes: 1000,
    virtualSizeBytes,
    transferredBytes: 1000,
    reused: false,
    checksum: `{SHA-256}${'ab'.repeat(32)}`,
    attempts: [
      {
        url: 'http://images.example.org/tiny.qcow2',
        sourceRank: 1,
        checksumAttempt: 1,
        tryNumber: 1,
        state: 'succeeded',
        bytes: 1000,
        bytesPerSecond: 1000,
        durationMs: 1000,
        next: 'done',
      },
    ],
    warnings: [],
    phaseMs: { transferring: 1000 },
  };
}
