import { constants, type FileHandle, open, readFile, unlink } from 'node:fs/promises';
import { hasErrorCode } from '@millrace/core';

/**
 * What is written down beside a partial image so that the next fetch can go on with it: whose segments these are, and
 * which of them are there. Appended to, a line at a time; a last line that was cut off does not count.
 *
 * After the death of a process everything it wrote is still there. After that of the machine only what was synced is:
 * a line `synced N` says that the first N of the segments noted are known to be on the disk.
 */
export interface SegmentLog {
  note(segment: number): Promise<void>;
  /** To be called when the data of the first so many segments noted is synced. */
  synced(upTo: number): Promise<void>;
  readonly noted: number;
  close(): Promise<void>;
  remove(): Promise<void>;
}

export interface SegmentLogHeader {
  readonly identity: string;
  readonly segmentBytes: number;
}

const format = 'millrace segments 1';
/** A million segments of 4 MiB are 4 TiB; a log that is longer than this is no log. */
const longestLogBytes = 16 * 1024 * 1024;

/** The segments that a log vouches for; `undefined` when it is about something else, damaged or not there. */
export async function readSegmentLog(
  path: string,
  header: SegmentLogHeader,
): Promise<readonly number[] | undefined> {
  let text: string;
  try {
    const handle = await open(path, constants.O_RDONLY | constants.O_NOFOLLOW);
    try {
      if ((await handle.stat()).size > longestLogBytes) return undefined;
      text = await handle.readFile('utf8');
    } finally {
      await handle.close();
    }
  } catch (error) {
    if (hasErrorCode(error, 'ENOENT', 'ELOOP', 'ENOTDIR')) return undefined;
    throw error;
  }
  const [first, identity, segmentBytes, boot, ...lines] = text.split('\n');
  if (first !== format || identity !== header.identity) return undefined;
  if (Number(segmentBytes) !== header.segmentBytes) return undefined;
  // what follows the last line break is empty, or was being written
  lines.pop();
  const segments: number[] = [];
  let synced = 0;
  for (const line of lines) {
    const [, word, digits] = /^(synced )?(\d{1,9})$/.exec(line) ?? [];
    if (digits === undefined) return undefined;
    if (word === undefined) segments.push(Number(digits));
    else synced = Number(digits);
  }
  const kept = boot === (await bootId()) ? segments : segments.slice(0, synced);
  return [...new Set(kept)].sort((a, b) => a - b);
}

/** Begins a log anew, with the segments of an earlier one that are kept. */
export async function startSegmentLog(
  path: string,
  header: SegmentLogHeader,
  kept: readonly number[],
): Promise<SegmentLog> {
  if (header.identity.includes('\n')) throw new Error('an identity is one line');
  await removeIfThere(path);
  const flags = constants.O_WRONLY | constants.O_CREAT | constants.O_EXCL | constants.O_APPEND;
  const handle = await open(path, flags | constants.O_NOFOLLOW, 0o600);
  const lines = [format, header.identity, header.segmentBytes, await bootId(), ...kept];
  await handle.appendFile(`${lines.join('\n')}\n`);
  return openedLog(path, handle, kept.length);
}

function openedLog(path: string, handle: FileHandle, already: number): SegmentLog {
  let noted = already;
  let writing: Promise<unknown> = Promise.resolve();
  let closed = false;
  // one after the other: two appends at once could be torn
  const append = (text: string) => {
    const next = writing.then(() => handle.appendFile(text));
    writing = next.catch(() => {});
    return next;
  };
  return {
    get noted() {
      return noted;
    },
    async note(segment) {
      noted += 1;
      await append(`${segment}\n`);
    },
    synced: (upTo) => append(`synced ${upTo}\n`),
    async close() {
      if (closed) return;
      closed = true;
      await writing;
      await handle.close();
    },
    async remove() {
      await this.close();
      await removeIfThere(path);
    },
  };
}

/** Names this run of the kernel. */
async function bootId(): Promise<string> {
  return (await readFile('/proc/sys/kernel/random/boot_id', 'utf8')).trim();
}

export async function removeIfThere(path: string): Promise<void> {
  try {
    await unlink(path);
  } catch (error) {
    if (!hasErrorCode(error, 'ENOENT')) throw error;
  }
}
