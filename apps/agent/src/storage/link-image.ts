import { constants } from 'node:fs';
import { copyFile, link, rm } from 'node:fs/promises';
import { basename, dirname } from 'node:path';
import { partialPath } from '@millrace/image/partial-name';
import { publish, syncDirectory } from './pool.ts';

/**
 * Gives an image a second name in its directory: shared blocks where the file system has them, else a hard link. Images
 * are never written to, so two names may be one file. Nothing is there under the new name until it is whole.
 * @throws when the file system can do neither, or there is no such image
 */
export async function linkImage(from: string, to: string, mode: number): Promise<'reflink' | 'hard-link'> {
  const temporary = partialPath(dirname(to), basename(to));
  await rm(temporary, { force: true });
  if (await reflink(from, temporary)) {
    await publish(temporary, to, mode);
    return 'reflink';
  }
  await rm(to, { force: true });
  await link(from, to);
  await syncDirectory(dirname(to));
  return 'hard-link';
}

async function reflink(from: string, to: string): Promise<boolean> {
  try {
    await copyFile(from, to, constants.COPYFILE_FICLONE_FORCE);
    return true;
  } catch {
    // EOPNOTSUPP, EXDEV, EINVAL, ENOTTY, ENOSYS: each file system has its own word for it
    await rm(to, { force: true });
    return false;
  }
}
