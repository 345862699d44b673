import { createInterface } from 'node:readline';
import { type Logger, sleep, spawnProgram } from '@millrace/core';

export interface DomainEvent {
  readonly domain: string;
  /** `lifecycle`, `reboot`, `agent-lifecycle`, … as virsh names them. */
  readonly kind: string;
  readonly detail: string;
}

/** One line of `virsh event --all --loop --timestamp`; `undefined` for a line that is no event of a domain. */
export function parseEvent(line: string): DomainEvent | undefined {
  const match = /^(?:\S+ \S+: )?event '([^']+)' for domain '(.*?)'(?:: (.*))?$/.exec(line);
  if (!match) return undefined;
  return { kind: match[1]!, domain: match[2]!, detail: (match[3] ?? '').trim() };
}

export interface EventStreamOptions {
  readonly uri: string;
  readonly log: Logger;
  readonly onEvent: (event: DomainEvent) => void;
  /** The stream (re)started: what happened before was not seen. */
  readonly onStart: () => void;
  readonly signal: AbortSignal;
  /** Path or name of virsh. */
  readonly program?: string;
}

const restartDelayMs = { first: 100, longest: 2000 } as const;

/**
 * Follows libvirt's events for as long as the signal allows: one virsh child, started again when it ends, which it does
 * whenever libvirtd does. The child tells nobody when it has subscribed, so `onStart` comes when it is spawned and once
 * more shortly after.
 */
export async function followEvents(options: EventStreamOptions): Promise<void> {
  const { log, signal } = options;
  let failures = 0;
  while (!signal.aborted) {
    const begun = performance.now();
    const reason = await followOnce(options);
    if (signal.aborted) return;
    failures = performance.now() - begun > 10_000 ? 0 : failures + 1;
    if (failures <= 1) log.warn({ reason }, 'the stream of libvirt events ended: starting it again');
    await sleep(Math.min(restartDelayMs.first * 2 ** failures, restartDelayMs.longest), signal).catch(
      () => {},
    );
  }
}

/** How long virsh may take from its start to its subscription. */
const subscriptionMs = 1000;

async function followOnce(options: EventStreamOptions): Promise<string> {
  const child = spawnProgram(
    options.program ?? 'virsh',
    ['-c', options.uri, 'event', '--all', '--loop', '--timestamp'],
    { signal: options.signal, stdio: ['ignore', 'pipe', 'pipe'] },
  );
  const ended = Promise.withResolvers<string>();
  let said = '';
  child.once('error', (error) => ended.resolve(error.message));
  child.once('close', (code) => ended.resolve(said.trim() || `virsh event ended with code ${code}`));
  options.onStart();
  const secondLook = setTimeout(options.onStart, subscriptionMs);
  const readLines = async () => {
    for await (const line of createInterface({ input: child.stdout! })) {
      const event = parseEvent(line);
      if (event) options.onEvent(event);
    }
  };
  const readErrors = async () => {
    for await (const line of createInterface({ input: child.stderr! }))
      said = `${said}\n${line}`.slice(-1000);
  };
  try {
    await Promise.all([readLines(), readErrors()]);
    return await ended.promise;
  } catch (error) {
    return String(error);
  } finally {
    clearTimeout(secondLook);
    child.kill('SIGKILL');
  }
}
