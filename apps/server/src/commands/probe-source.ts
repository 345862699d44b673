import { randomUUID } from 'node:crypto';
import type { FetchPolicy, ProbedSource, ProbeReport } from '@millrace/agent-protocol';
import { ApiError } from '@millrace/api';
import { describeError, type Logger, MillraceError, redactUrl } from '@millrace/core';
import type { AgentGateway } from '../agents/gateway.ts';

export interface ProbeHost {
  readonly id: number;
  readonly name: string;
  readonly location: readonly string[];
}

export interface ProbeRequest {
  readonly hosts: readonly ProbeHost[];
  readonly source: ProbedSource;
  readonly policy: FetchPolicy;
  readonly agents: AgentGateway;
  readonly log: Logger;
  readonly signal: AbortSignal;
}

export interface ProbeLimits {
  /** Clients give a call ten seconds: the answer, good or bad, must be there before. */
  readonly answerWithinMs: number;
  /** What one host may take, so that there is time for another. */
  readonly oneHostMs: number;
  /** A host that found nothing usable is worth a second opinion only if it was quick about it. */
  readonly secondOpinionBeforeMs: number;
}

const usualLimits: ProbeLimits = { answerWithinMs: 8000, oneHostMs: 6000, secondOpinionBeforeMs: 3000 };

/**
 * Lets a live host look at a source: every mirror and the first bytes of the image. Hosts that fail to answer are passed
 * over.
 * @throws ApiError 431 when the image or the URL is refused or no mirror is usable, with the reason per mirror; 530 when
 * no host can look, naming the cause.
 */
export async function probeSource(request: ProbeRequest, limits = usualLimits): Promise<ProbeReport> {
  const { agents, hosts } = request;
  if (hosts.length === 0) {
    throw new ApiError(
      'INTERNAL_ERROR',
      'no host of the zone is Up and Enabled, so nothing can look at the URL; bring a host up (listHosts shows their state) and register again',
    );
  }
  const deadline = AbortSignal.any([request.signal, AbortSignal.timeout(limits.answerWithinMs)]);
  const started = performance.now();
  const elapsed = () => performance.now() - started;
  // those whose connection is here answer at once
  const ordered = [...hosts].sort(
    (a, b) => Number(agents.isConnected(b.id)) - Number(agents.isConnected(a.id)),
  );
  const failures: string[] = [];
  let unusable: ProbeReport | undefined;
  for (const host of ordered) {
    if (deadline.aborted || (unusable && elapsed() > limits.secondOpinionBeforeMs)) break;
    const outcome = await probeFrom(host, request, {
      deadline,
      ownTime: AbortSignal.timeout(limits.oneHostMs),
    });
    if ('failure' in outcome) {
      failures.push(`host ${host.name}: ${outcome.failure}`);
      continue;
    }
    const { report } = outcome;
    if (report.refusal) throw refused(report.refusal.message);
    if (report.usable) return report;
    unusable ??= report;
  }
  request.signal.throwIfAborted();
  if (unusable) throw nothingUsable(unusable);
  throw new ApiError('INTERNAL_ERROR', `no host could look at the URL: ${failures.join('; ')}`, {
    userText:
      'no host could look at the URL in time; try again, or ask the operator, whose log has the reason per host',
  });
}

type Outcome = { readonly report: ProbeReport } | { readonly failure: string };

async function probeFrom(
  host: ProbeHost,
  request: ProbeRequest,
  { deadline, ownTime }: { readonly deadline: AbortSignal; readonly ownTime: AbortSignal },
): Promise<Outcome> {
  try {
    const report = await request.agents.call(
      host.id,
      'image.probe',
      { source: request.source, policy: request.policy, location: [...host.location] },
      {
        operationId: `probe-${randomUUID()}`,
        signal: AbortSignal.any([deadline, ownTime]),
        reconnectWithinMs: 1000,
      },
    );
    return { report };
  } catch (error) {
    if (isFinal(error)) throw refused(error.message);
    request.log.warn({ host: host.id, error: describeError(error) }, 'a host could not probe a source');
    if (ownTime.aborted || deadline.aborted) return { failure: 'it did not answer in time' };
    return { failure: error instanceof MillraceError ? error.message : 'it failed to answer' };
  }
}

/** The agent says that no other host would come to another end: the URL or the image itself is refused. */
function isFinal(error: unknown): error is MillraceError {
  return error instanceof MillraceError && 'failureClass' in error && error.failureClass === 'stop';
}

function refused(reason: string): ApiError {
  return new ApiError('PARAM_ERROR', `Invalid parameter url: the image is refused: ${reason}`);
}

function nothingUsable(report: ProbeReport): ApiError {
  const reasons = report.sources
    .filter((source) => !source.usable)
    .map((source) => `${redactUrl(source.url)}: ${source.message ?? source.reason ?? 'not usable'}`);
  const found = report.metalink
    ? `none of the ${report.sources.length} mirrors is usable`
    : 'the source is not usable';
  const codes = new Set(report.sources.map((source) => source.reason ?? ''));
  const steps = Object.entries(advice).flatMap(([code, step]) => (codes.has(code) ? [step] : []));
  const next = steps.length > 0 ? `. Next: ${steps.join('; ')}` : '';
  return new ApiError('PARAM_ERROR', `Invalid parameter url: ${found}: ${reasons.join('; ')}${next}`);
}

/** What to do about the commonest reasons, by the engine's code. */
const advice: Readonly<Record<string, string>> = {
  EGRESS_REFUSED:
    'use a public address, or have an administrator add the network to the setting direct.download.egress.allowed.cidrs',
  HOST_NOT_FOUND: 'check the spelling of the host name, and the name servers of the hosts',
  CONNECT_REFUSED: 'check that the web server runs and that the port is right',
  CONNECT_TIMEOUT: 'check routes and firewalls between the hosts and the web server',
  PROBE_TIMEOUT: 'check the web server: it did not answer in time',
  TLS_FAILED:
    'check that the certificate is valid, names this host and is signed by a CA that the hosts trust',
  HTTP_NOT_FOUND: 'check the URL: the server does not have the file',
  HTTP_DENIED:
    'give credentials in the URL or by details[0].HTTP_HEADER:Name=value, or renew a presigned URL',
  WEB_PAGE: 'open the URL in a browser: a login or an error page is in the way',
};

/** The zone whose settings hold: where there are several, those of the whole cloud do. */
export function onlyOne(zoneIds: readonly number[]): number | undefined {
  return zoneIds.length === 1 ? zoneIds[0] : undefined;
}
