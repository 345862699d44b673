import { isJsonObject, numberMember, textMember } from '@millrace/api-client';
import { sleep } from '@millrace/core';
import { formatDuration, type Progress } from '../progress.ts';
import { guestReadyMarker } from '../tiny-template/build-tiny-template.ts';
import { demoFailed, type Reader } from './api-reads.ts';

/** Generous: under emulation, on a busy machine, a boot takes many times what it takes on a quiet one. */
const guestTimeoutMs = 300_000;

/**
 * Reads a VM's serial console through the API until the guest has introduced itself.
 * @throws MillraceError `DEMO_FAILED` with the end of the console
 */
export async function waitForGuestLine(
  { api, signal, progress, now }: Reader & { readonly progress: Progress; readonly now: () => number },
  vmId: string,
): Promise<string> {
  const begun = now();
  let text = '';
  let offset = 0;
  while (now() - begun < guestTimeoutMs) {
    const answer = await api.call('getVirtualMachineConsoleOutput', { id: vmId, offset }, { signal });
    const output = answer['consoleoutput'];
    if (isJsonObject(output)) {
      text += textMember(output, 'output') ?? '';
      offset = numberMember(output, 'nextoffset') ?? offset;
    }
    const line = findGuestLine(text);
    if (line !== undefined) return line;
    progress.live(`    booting … ${formatDuration(now() - begun)}`);
    await sleep(200, signal);
  }
  const tail = text.trimEnd().split('\n').slice(-10).join('\n');
  throw demoFailed(
    `the guest did not report within ${guestTimeoutMs / 1000} s. The end of its serial console:\n${tail || '(nothing)'}`,
  );
}

/** The guest's line, once it is there to its end. */
export function findGuestLine(console: string): string | undefined {
  // what comes after the last line break may be half a line still
  const whole = console.split(/\r?\n/).slice(0, -1);
  const line = whole.find((candidate) => candidate.includes(guestReadyMarker));
  return line?.slice(line.indexOf(guestReadyMarker)).trim();
}
