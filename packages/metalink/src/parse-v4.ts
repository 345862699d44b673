import { type Element, tooLarge } from './element-tree.ts';
import {
  childrenNamed,
  type EntryCounts,
  entryLimits,
  readDigests,
  readFileName,
  readInteger,
  readLocation,
  readSize,
  readUrl,
} from './entries.ts';
import type { MetalinkFile, MetalinkSource } from './types.ts';
import type { Warnings } from './warnings.ts';

/** RFC 5854: `<metalink><file name><size/><hash type/><url priority location/></file></metalink>`. */
export function parseFilesV4(root: Element, warnings: Warnings): MetalinkFile[] {
  const counts: EntryCounts = { urls: 0, digests: 0 };
  const files = childrenNamed(root, 'file');
  if (files.length > entryLimits.files) throw tooLarge(`more than ${entryLimits.files} files`);
  return files.map((file) => {
    const sizeBytes = readSize(file, warnings);
    return {
      name: readFileName(file),
      ...(sizeBytes === undefined ? {} : { sizeBytes }),
      // direct children only: a <hash> inside <pieces> is the digest of one piece, not of the file
      digests: readDigests(childrenNamed(file, 'hash'), counts, warnings),
      sources: childrenNamed(file, 'url').flatMap((url) => readSource(url, counts, warnings)),
    };
  });
}

function readSource(element: Element, counts: EntryCounts, warnings: Warnings): MetalinkSource[] {
  const url = readUrl(element, counts, warnings);
  if (url === undefined) return [];
  const priority = readInteger(element, 'priority', { min: 1, max: 999_999 }, warnings);
  return [{ url, ...readLocation(element), ...(priority === undefined ? {} : { priority }) }];
}
