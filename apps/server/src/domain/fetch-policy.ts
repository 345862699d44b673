import type { FetchPolicy } from '@millrace/agent-protocol';
import { cidrsOf, type Settings } from './settings.ts';

/** The limits and rules that hosts obey when they fetch on behalf of users, from the present settings. */
export function fetchPolicyFrom(settings: Settings): FetchPolicy {
  return {
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
