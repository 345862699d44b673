import { randomUUID } from 'node:crypto';
import { isBusy, type RbdImages, rbdPartialPrefix, removeStaleRbdPartials } from './rbd-images.ts';

const replacedPrefix = `${rbdPartialPrefix}replaced.`;

/** A name for what is not committed yet. Two that write the same image never write into the same place. */
export function newPartialName(image: string): string {
  return `${rbdPartialPrefix}${image}.${randomUUID()}`;
}

/** Whether it is a partial of this very image, and not of one whose name begins alike. */
export function isOfImage(name: string, image: string): boolean {
  const prefix = `${rbdPartialPrefix}${image}.`;
  return name.startsWith(prefix) && /^[0-9a-f-]{36}$/.test(name.slice(prefix.length));
}

/** Gives an image its name. An earlier image gives up its name; it goes, or, while disks stand on it, stays under a hidden one. */
export async function publishRbdImage(images: RbdImages, partial: string, image: string): Promise<void> {
  const replaced = replacedName();
  const occupied = (await images.sizeOf(image)) !== undefined;
  if (occupied) await images.rename(image, replaced);
  await images.rename(partial, image);
  if (!occupied) return;
  await images.remove(replaced).catch((error: unknown) => {
    if (!isBusy(error)) throw error;
  });
}

/**
 * Makes an image of the bytes of another one, which are not moved: a clone with a snapshot of its own. It stands on what the
 * other one itself is a clone of, if it is one, so that copies of copies do not stand on each other.
 */
export async function copyRbdImage(images: RbdImages, from: string, to: string): Promise<void> {
  const partial = newPartialName(to);
  try {
    await images.clone((await images.baseOf(from)) ?? from, partial);
    await images.protect(partial);
    await publishRbdImage(images, partial, to);
  } catch (error) {
    await images.remove(partial);
    throw error;
  }
}

/**
 * Removes an image. One whose bytes are other images', too, gives up its name and goes when they have gone; one on which
 * disks stand stays.
 */
export async function removeRbdImage(images: RbdImages, name: string): Promise<void> {
  try {
    await images.remove(name);
  } catch (error) {
    if (!isBusy(error)) throw error;
    const standing = await images.standingOn(name);
    if (standing.length === 0 || !standing.every((one) => one.committed)) throw error;
    await images.rename(name, replacedName());
  }
  await removeStaleRbdPartials(images, replacedPrefix);
}

function replacedName(): string {
  return `${replacedPrefix}${randomUUID()}`;
}
