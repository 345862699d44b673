import { readFileSync } from 'node:fs';

/**
 * Seconds since the machine started, by the clock that guard.sh reads too: it never goes back, no one sets it, and it
 * counts while the machine is suspended.
 */
export function uptimeSeconds(): number {
  return Number(readFileSync('/proc/uptime', 'utf8').split(' ')[0]);
}
