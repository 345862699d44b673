import type { FetchPolicy, TransferLimits } from '@millrace/agent-protocol';
import { cidrsOf, type Settings } from './settings.ts';
import { signatureKeysOf } from './transfer-settings.ts';

/**
 * The limits and rules that hosts obey when they fetch on behalf of users, from the present settings.
 * @param extraCa PEM certificates that sources may be signed by, beside the system's
 */
export function fetchPolicyFrom(settings: Settings, extraCa: readonly string[] = []): FetchPolicy {
  const signatureKeys = signatureKeysOf(settings['direct.download.signature.keys']);
  return {
    maxSources: settings['direct.download.max.sources'],
    maxConnectionsPerSource: settings['direct.download.max.connections.per.source'],
    ...unlessZero('minBytesPerSecond', settings['direct.download.min.rate']),
    ...unlessZero('rateLimitBytesPerSecond', settings['direct.download.rate.limit']),
    ...unlessZero('hostRateLimitBytesPerSecond', settings['direct.download.host.rate.limit']),
    ...(extraCa.length > 0 ? { extraCa: [...extraCa] } : {}),
    ...(signatureKeys.length > 0 ? { signatureKeys } : {}),
    connectTimeoutMs: settings['direct.download.connect.timeout'],
    stallTimeoutMs: settings['direct.download.stall.timeout'],
    checksumAttempts: settings['direct.download.checksum.attempts'],
    maxRedirects: settings['direct.download.max.redirects'],
    maxVirtualSizeBytes: settings['direct.download.max.virtual.size'],
    maxTransferBytes: settings['direct.download.max.transfer.size'],
    sourceOrder: settings['direct.download.source.order'] === 'location' ? 'location' : 'priority',
    egressAllowedCidrs: cidrsOf(settings['direct.download.egress.allowed.cidrs']),
  };
}

/** How fast hosts may fetch, from the present settings; sent with every heartbeat's answer, for what runs already. */
export function transferLimitsFrom(settings: Settings): TransferLimits {
  return {
    ...unlessZero('bytesPerSecond', settings['direct.download.rate.limit']),
    ...unlessZero('hostBytesPerSecond', settings['direct.download.host.rate.limit']),
  };
}

function unlessZero<N extends string>(name: N, value: number): { [name in N]?: number } {
  return value > 0 ? ({ [name]: value } as { [name in N]: number }) : {};
}
