import { z } from 'zod';
import type { ExpectedImage } from '../types.ts';
import type { RbdImages } from './rbd-images.ts';
import { isOfImage, newPartialName } from './rbd-names.ts';

/** In the metadata of a partial image: whose segments it has, and which. It goes where the image goes, and with it. */
const metaKey = 'millrace.resume';
const notes = z.object({
  identity: z.string(),
  segmentBytes: z.number().int().positive(),
  /** A bit for each segment, base64. */
  segments: z.base64(),
  writtenAt: z.number(),
});
/** Flushing and noting take half a second, beside the writing: so much is lost at most. */
const noteEveryMs = 5000;

export interface LeftRbdImage {
  readonly partial: string;
  readonly kept: readonly number[];
}

/**
 * Takes over what an interrupted writing left of the same image, of this host or another one. It gets a new name: of two that
 * come for it one finds the old name gone. One that is still open belongs to its writer.
 */
export async function takeLeftRbdImage(
  images: RbdImages,
  image: string,
  { resume, sizeBytes = 0 }: ExpectedImage,
): Promise<LeftRbdImage | undefined> {
  if (!resume) return undefined;
  for (const name of await images.list()) {
    if (!isOfImage(name, image)) continue;
    const found = await readNotes(images, name);
    if (found?.identity !== resume.identity || found.segmentBytes !== resume.segmentBytes) continue;
    const kept = segmentsOf(found.segments).filter((segment) => segment * resume.segmentBytes < sizeBytes);
    if (kept.length === 0 || (await images.isOpen(name))) continue;
    const partial = newPartialName(image);
    try {
      await images.rename(name, partial);
      return { partial, kept };
    } catch (error) {
      if ((await images.sizeOf(name)) !== undefined) throw error;
    }
  }
  return undefined;
}

/** Whether it is to be kept for somebody who may go on with it. */
export async function isResumable(images: RbdImages, partial: string, withinMs: number): Promise<boolean> {
  const found = await readNotes(images, partial);
  return found !== undefined && Date.now() - found.writtenAt < withinMs;
}

async function readNotes(images: RbdImages, name: string) {
  const text = await images.metaOf(name, metaKey);
  if (text === undefined) return undefined;
  try {
    return notes.parse(JSON.parse(text));
  } catch {
    // damaged: it vouches for nothing
    return undefined;
  }
}

/** Notes which segments are safely in the image. What is not flushed is not noted, so a note is true after any crash. */
export interface RbdSegmentNotes {
  note(segment: number): void;
  /** Flushes and writes the notes down. @returns how many segments they are */
  save(): Promise<number>;
  /** Writes nothing more. Who writes notes has the image open, and it could not be removed. */
  stop(): Promise<void>;
  /** Before the image changes into something else. */
  remove(): Promise<void>;
}

export function rbdSegmentNotes(
  resume: NonNullable<ExpectedImage['resume']>,
  kept: readonly number[],
  place: { readonly images: RbdImages; readonly partial: string; readonly flush: () => Promise<void> },
): RbdSegmentNotes {
  const noted = new Set(kept);
  let savedAt = performance.now();
  let saving: Promise<unknown> = Promise.resolve();
  let stopped = false;
  const write = async () => {
    if (stopped) return 0;
    const segments = bitsOf(noted);
    const { size } = noted;
    await place.flush();
    const text = JSON.stringify({ ...resume, segments, writtenAt: Date.now() });
    await place.images.setMeta(place.partial, metaKey, text);
    return size;
  };
  const save = () => {
    const next = saving.then(write);
    saving = next.catch(() => {});
    return next;
  };
  return {
    note(segment) {
      noted.add(segment);
      if (performance.now() - savedAt < noteEveryMs) return;
      savedAt = performance.now();
      // a note that fails costs a later fetch time, and this one nothing
      save().catch(() => {});
    },
    save,
    async stop() {
      stopped = true;
      await saving;
    },
    async remove() {
      await this.stop();
      await place.images.removeMeta(place.partial, metaKey);
    },
  };
}

function bitsOf(segments: ReadonlySet<number>): string {
  const bytes = Buffer.alloc(Math.floor(Math.max(-1, ...segments) / 8) + 1);
  for (const segment of segments) bytes[segment >> 3]! |= 1 << (segment & 7);
  return bytes.toString('base64');
}

function segmentsOf(text: string): readonly number[] {
  const bytes = Buffer.from(text, 'base64');
  return Array.from({ length: bytes.length * 8 }, (_, segment) => segment).filter(
    (segment) => (bytes[segment >> 3]! >> (segment & 7)) & 1,
  );
}
