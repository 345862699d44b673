import { hostname } from 'node:os';
import type { AgentMethods, Handlers } from '@millrace/agent-protocol';
import { describeError, hasErrorCode, type Logger, sleep } from '@millrace/core';
import type { AgentConfig } from '../config.ts';
import { makeConfigDrives } from '../config-drive/config-drives.ts';
import { dialServer } from '../console/dial-server.ts';
import { fail } from '../failure.ts';
import { makeHolds } from '../fencing/holds.ts';
import { makeHandlers } from '../handlers/all.ts';
import { makeConsoleOpen, makeSerialLines } from '../handlers/console-open.ts';
import { readMethods } from '../handlers/handler.ts';
import { hostFacts, hostLoad } from '../host/facts.ts';
import { chooseVirtType } from '../host/virt-type.ts';
import { makeConsoleLogs } from '../hypervisor/console-log.ts';
import { listDomains } from '../hypervisor/domains.ts';
import { followEvents } from '../hypervisor/events.ts';
import { makeVirsh } from '../hypervisor/virsh.ts';
import { grantKey } from '../image-server/grant.ts';
import { type ImageServer, startImageServer } from '../image-server/image-server.ts';
import { makeCertificateRequest } from '../join/certificate-request.ts';
import { joinServer } from '../join/join.ts';
import { firstServer, serverAt } from '../join/server-order.ts';
import { makeLanes } from '../lanes.ts';
import { makeOperations, throughOperations } from '../operations.ts';
import { makeWatch } from '../reconcile/watch.ts';
import { reconnectDelayMs } from '../session/backoff.ts';
import { runSession } from '../session/session.ts';
import {
  expiryOf,
  type Identity,
  identityPath,
  loadIdentity,
  openStateDir,
  storeIdentity,
} from '../state/identity.ts';
import { loadImageEngine } from '../storage/image-engine.ts';
import { makePoolAccess, type PoolAccess } from '../storage/pool-access.ts';
import { makeHostTransfers } from '../storage/transfers.ts';

const expiryWarningMs = 30 * 24 * 3600_000;
const stopTimeoutMs = 10_000;

/** Runs the agent until the signal aborts. @throws what an operator has to change, by its code, and what is unexpected */
export async function runUntilStopped(config: AgentConfig, log: Logger, signal: AbortSignal): Promise<void> {
  await openStateDir(config.stateDir);
  await runAgent(config, await obtainIdentity(config, log, signal), log, signal);
}

/** The stored identity, or a new one by joining. An expired one is replaced when there is a token for it. */
async function obtainIdentity(config: AgentConfig, log: Logger, signal: AbortSignal): Promise<Identity> {
  const stored = await loadIdentity(config.stateDir);
  if (stored) {
    const expiry = expiryOf(stored);
    const leftMs = expiry.getTime() - Date.now();
    if (leftMs > 0) {
      const fields = { host: stored.hostUuid, expires: expiry.toISOString() };
      if (leftMs < expiryWarningMs)
        log.warn(fields, 'the certificate of this host ends soon: join it again in time');
      return stored;
    }
    if (config.joinToken === undefined)
      fail(
        'JOIN_REFUSED',
        `the certificate of this host ended on ${expiry.toISOString()}: make a new join token on the server and start the agent with it in MILLRACE_JOIN_TOKEN`,
      );
  }
  if (config.joinToken === undefined)
    fail(
      'JOIN_REFUSED',
      `this host has not joined a server (${identityPath(config.stateDir)} does not exist): addHost on the server makes a join token, then: millrace agent join https://SERVER:8250 --token T (or start the agent with the token in MILLRACE_JOIN_TOKEN)`,
    );
  return joinUntilAnswered(config, config.joinToken, log, signal);
}

async function joinUntilAnswered(
  config: AgentConfig,
  token: string,
  log: Logger,
  signal: AbortSignal,
): Promise<Identity> {
  const first = firstServer({ serverUrls: config.serverUrls, random: Math.random });
  for (let attempt = 0; ; attempt++) {
    try {
      const serverUrl = serverAt(config.serverUrls, first + attempt);
      const identity = await joinServer({
        serverUrl,
        token,
        hostName: hostname(),
        makeCertificateRequest,
        signal,
      });
      await storeIdentity(config.stateDir, identity);
      log.info({ host: identity.hostUuid, server: serverUrl }, 'this host has joined');
      return identity;
    } catch (error) {
      signal.throwIfAborted();
      if (!hasErrorCode(error, 'SERVER_UNREACHABLE')) throw error;
      if (attempt === 0 || attempt % 12 === 11)
        log.warn({ reason: describeError(error) }, 'cannot join yet: trying again');
      await sleep(reconnectDelayMs(attempt, Math.random()), signal);
    }
  }
}

async function runAgent(
  config: AgentConfig,
  identity: Identity,
  log: Logger,
  signal: AbortSignal,
): Promise<void> {
  const virsh = makeVirsh({ uri: config.libvirtUri });
  const hasHypervisor = config.role === 'host';
  const virtType = hasHypervisor ? await chooseVirtType(config.virtType, log) : 'qemu';
  const listVms = (listSignal: AbortSignal) =>
    hasHypervisor ? listDomains(virsh, listSignal) : Promise.resolve([]);
  const lanes = makeLanes();
  const pools = makePoolAccess({ ...config, lanes });
  await using imageServer = await openImageServer(config, { identity, pools, log });
  const watch = makeWatch({ list: listVms, log });
  const operations = makeOperations({ now: () => performance.now(), log, reads: readMethods });
  const transfers = makeHostTransfers(loadImageEngine);
  const holds = makeHolds({
    // not below /run/millrace, which QEMU's user has to pass through
    directory: '/run/millrace-holds',
    pids: '/run/libvirt/qemu',
    hostUuid: identity.hostUuid,
    log,
  });
  const handlers = makeHandlers({
    virsh,
    subscribe: watch.subscribe,
    consoleLogs: makeConsoleLogs(),
    configDrives: makeConfigDrives(),
    holds,
    engine: loadImageEngine,
    transfers,
    virtType,
    lanes,
    pools,
    imageServer: () => imageServer.running,
    log,
  });
  const shared = throughOperations(handlers, operations);
  const serialLines = makeSerialLines();
  const handlersFor = (serverUrl: string): Handlers<AgentMethods> => ({
    ...shared,
    'console.open': makeConsoleOpen({
      virsh,
      serialLines,
      log,
      dial: (ticket, dialSignal) => dialServer({ serverUrl, identity, ticket, signal: dialSignal }),
    }),
  });
  const factsDeps = {
    virsh,
    virtType,
    poolPath: config.poolPath,
    role: config.role,
    imageServer: () => imageServer.running,
    log,
  };
  log.info(
    { host: identity.hostUuid, virtType, pool: config.poolPath, libvirt: config.libvirtUri },
    'agent started',
  );

  // the eyes stay open until the operations have ended: stopping a VM waits for its events
  const watching = new AbortController();
  const eyes = hasHypervisor
    ? Promise.all([
        watch.run(watching.signal),
        holds.run(watching.signal),
        followEvents({
          uri: config.libvirtUri,
          log,
          onEvent: watch.onEvent,
          onStart: () => watch.look(true),
          signal: watching.signal,
        }),
      ])
    : Promise.resolve();
  await runSession(
    {
      serverUrls: config.serverUrls,
      identity,
      handlersFor,
      facts: (factsSignal) => hostFacts(factsDeps, factsSignal),
      load: () => hostLoad(factsDeps),
      listVms,
      watch,
      setLimits: transfers.setLimits,
      heard: holds.heard,
      log,
      random: Math.random,
    },
    signal,
  );
  // The connection is gone by now, so the server hears of no failure: it waits for this host to come back and asks again.
  const late = new AbortController();
  await Promise.race([operations.stop(), sleep(stopTimeoutMs, late.signal).catch(() => {})]);
  late.abort();
  watching.abort(new Error('the agent is stopping'));
  await eyes;
  log.info({}, 'stopped');
}

/**
 * The image server, where there is to be one. A host whose port is taken still runs instances; a machine that is there for
 * image stores alone has nothing else to do.
 */
async function openImageServer(
  { imageListen, imageUrl, role }: AgentConfig,
  deps: { readonly identity: Identity; readonly pools: PoolAccess; readonly log: Logger },
): Promise<AsyncDisposable & { readonly running: ImageServer | undefined }> {
  let running: ImageServer | undefined;
  try {
    if (imageListen !== undefined)
      running = await startImageServer({
        listen: imageListen,
        publicUrl: imageUrl,
        key: grantKey(deps.identity.privateKey),
        resolve: deps.pools.resolve,
        log: deps.log,
      });
  } catch (error) {
    if (role === 'image-store') throw error;
    deps.log.error({ listen: imageListen, reason: describeError(error) }, 'images are not served from here');
  }
  return { running, [Symbol.asyncDispose]: async () => running?.[Symbol.asyncDispose]() };
}
