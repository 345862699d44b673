import { constants } from 'node:os';
import { FetchFault } from '../errors.ts';

/** Signals by which a program ends that was given a limit, as numbers and as names. */
const { SIGKILL, SIGXFSZ } = constants.signals;

/**
 * @param complaints what `qemu-img` wrote to its standard error
 * @param paths which are left out of messages: they are this host's business
 * @throws FetchFault that tells the image's fault from the pool's and from the host's
 */
export function judgeConversion(
  exit: { readonly code: number | null; readonly signal: string | null },
  complaints: string,
  paths: readonly string[],
): void {
  if (exit.code === 0) return;
  // warnings come before it
  const line = complaints.trim().split('\n').at(-1) ?? '';
  const said = paths
    .reduce((text, path) => text.replaceAll(path, '…'), line)
    .replace(/^qemu-img: /, '')
    .slice(0, 300);
  // bubblewrap reports a death by signal as a shell does
  const killedBy = exit.signal ?? (exit.code !== null && exit.code > 128 ? exit.code - 128 : undefined);
  if (killedBy === 'SIGXFSZ' || killedBy === SIGXFSZ || /: File too large$/.test(line)) {
    throw new FetchFault('UNPACKED_TOO_LARGE', 'while it was converted');
  }
  if (killedBy === 'SIGKILL' || killedBy === SIGKILL)
    throw new FetchFault('DECODER_FAILED', 'qemu-img was killed');
  if (killedBy !== undefined) throw new FetchFault('CONVERT_FAILED', `qemu-img ended by signal ${killedBy}`);
  if (/^(bwrap|prlimit): /.test(line)) throw new FetchFault('DECODER_FAILED', said);
  if (/: (No space left on device|Disk quota exceeded)$/.test(line)) throw new FetchFault('POOL_FULL', said);
  if (/^qemu-img: error while writing /.test(line)) throw new FetchFault('POOL_UNAVAILABLE', said);
  throw new FetchFault('CONVERT_FAILED', said === '' ? `exit code ${exit.code}` : said);
}
