import type { AgentMethods, Handlers, TransferLimits, VmStateReport } from '@millrace/agent-protocol';
import { describeError, type Logger, MillraceError, sleep } from '@millrace/core';
import type { HostFacts, HostLoad } from '../host/facts.ts';
import type { Watch } from '../reconcile/watch.ts';
import type { Identity } from '../state/identity.ts';
import { reconnectDelayMs } from './backoff.ts';
import { type Connection, freshCallId, openConnection } from './connection.ts';

export interface SessionDeps {
  /** At least one. */
  readonly serverUrls: readonly string[];
  readonly identity: Identity;
  /** For the connection with one of the servers. */
  readonly handlersFor: (serverUrl: string) => Handlers<AgentMethods>;
  readonly facts: (signal: AbortSignal) => Promise<HostFacts>;
  readonly load: () => Promise<HostLoad>;
  readonly listVms: (signal: AbortSignal) => Promise<VmStateReport[]>;
  readonly watch: Pick<Watch, 'connected'>;
  /** What the server allows from now on. */
  readonly setLimits: (limits: TransferLimits) => void;
  readonly log: Logger;
  readonly random: () => number;
  readonly pingMs?: number;
}

/** How long the server may take to answer the agent's own calls. */
const callTimeoutMs = 15_000;

/**
 * Keeps the host connected to every server of the list, so that each of them can ask it, for as long as the signal allows.
 * Operations go on whatever becomes of connections (see `Operations`). A host whose libvirt does not answer stays away: an
 * empty list of VMs would tell the servers that all of them are gone.
 */
export async function runSession(deps: SessionDeps, signal: AbortSignal): Promise<void> {
  await Promise.all(deps.serverUrls.map((serverUrl) => keepConnected(deps, serverUrl, signal)));
}

/** Connect, say hello, heartbeat; again after every loss. */
async function keepConnected(deps: SessionDeps, serverUrl: string, signal: AbortSignal): Promise<void> {
  const { log } = deps;
  let failures = 0;
  let lastReason = '';
  const onHello = () => {
    failures = 0;
  };
  while (!signal.aborted) {
    let reason: string;
    try {
      reason = await connectOnce(deps, serverUrl, { onHello, signal });
    } catch (error) {
      reason = describeError(error);
    }
    if (signal.aborted) return;
    const inMs = reconnectDelayMs(failures, deps.random());
    failures++;
    // the same reason every few seconds would fill the log and say nothing new
    if (reason !== lastReason || failures % 12 === 0)
      log.warn({ reason, inMs, failures, server: serverUrl }, 'not connected to the server: trying again');
    lastReason = reason;
    await sleep(inMs, signal).catch(() => {});
  }
}

async function connectOnce(
  deps: SessionDeps,
  serverUrl: string,
  { onHello, signal }: { readonly onHello: () => void; readonly signal: AbortSignal },
): Promise<string> {
  const facts = await deps.facts(signal);
  const connection = await openConnection({
    ...deps,
    handlers: deps.handlersFor(serverUrl),
    serverUrl,
    signal,
  });
  const closing = new AbortController();
  void connection.ended.then(() => closing.abort());
  const onStop = () => connection.close('the agent is stopping');
  signal.addEventListener('abort', onStop, { once: true });
  if (signal.aborted) onStop();
  let disconnected = () => {};
  try {
    const vms = await deps.listVms(closing.signal);
    const answer = await connection.peer.call(
      'host.hello',
      { ...facts, vms },
      { id: freshCallId(), signal: AbortSignal.any([closing.signal, AbortSignal.timeout(callTimeoutMs)]) },
    );
    if (answer.hostUuid !== deps.identity.hostUuid)
      throw new MillraceError('SERVER_NOT_TRUSTED', 'the server takes this host for another one');
    deps.log.info({ server: serverUrl, host: answer.hostUuid, vms: vms.length }, 'connected to the server');
    onHello();
    disconnected = deps.watch.connected(vms, async (vm) => {
      const timeout = AbortSignal.timeout(callTimeoutMs);
      await connection.peer.call('vm.changed', vm, { id: freshCallId(), signal: timeout });
    });
    void beat(deps, connection, answer.heartbeatMs, closing.signal);
    return await connection.ended;
  } finally {
    disconnected();
    signal.removeEventListener('abort', onStop);
    connection.close('starting over');
  }
}

async function beat(
  deps: SessionDeps,
  connection: Connection,
  everyMs: number,
  signal: AbortSignal,
): Promise<void> {
  while (!signal.aborted) {
    try {
      await sleep(everyMs, signal);
      const timeout = AbortSignal.timeout(callTimeoutMs);
      const { limits } = await connection.peer.call('host.heartbeat', await deps.load(), {
        id: freshCallId(),
        signal: AbortSignal.any([signal, timeout]),
      });
      if (limits) deps.setLimits(limits);
    } catch (error) {
      if (!signal.aborted) deps.log.warn({ reason: describeError(error) }, 'the heartbeat failed');
    }
  }
}
