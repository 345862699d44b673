import { type Element, tooLarge } from './element-tree.ts';
import {
  childrenNamed,
  type EntryCounts,
  entryLimits,
  readDigests,
  readFileName,
  readSignature,
  readSize,
  readSources,
} from './entries.ts';
import { readPieces } from './pieces.ts';
import type { MetalinkFile } from './types.ts';
import type { Warnings } from './warnings.ts';

/**
 * RFC 5854: `<metalink><file name><size/><hash type/><pieces length type><hash/></pieces><signature mediatype/>
 * <url priority location/></file></metalink>`.
 */
export function parseFilesV4(root: Element, warnings: Warnings): MetalinkFile[] {
  const counts: EntryCounts = { urls: 0, digests: 0 };
  const files = childrenNamed(root, 'file');
  if (files.length > entryLimits.files) throw tooLarge(`more than ${entryLimits.files} files`);
  return files.map((file) => {
    const sizeBytes = readSize(file, warnings);
    const signature = readSignature(childrenNamed(file, 'signature'), warnings);
    return {
      name: readFileName(file),
      ...(sizeBytes === undefined ? {} : { sizeBytes }),
      // direct children only: a <hash> inside <pieces> is the digest of one piece, not of the file
      digests: readDigests(childrenNamed(file, 'hash'), counts, warnings),
      pieces: readPieces(childrenNamed(file, 'pieces'), warnings),
      ...(signature ? { signature } : {}),
      sources: readSources(childrenNamed(file, 'url'), counts, warnings),
    };
  });
}
