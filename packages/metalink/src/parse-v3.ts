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

/**
 * Metalink 3.0: `<metalink><files><file name><size/><verification><hash type/></verification>
 * <resources maxconnections><url type location preference maxconnections/></resources></file></files></metalink>`.
 */
export function parseFilesV3(root: Element, warnings: Warnings): MetalinkFile[] {
  const counts: EntryCounts = { urls: 0, digests: 0 };
  const files = childrenNamed(root, 'files').flatMap((list) => childrenNamed(list, 'file'));
  if (files.length > entryLimits.files) throw tooLarge(`more than ${entryLimits.files} files`);
  return files.map((file) => {
    const sizeBytes = readSize(file, warnings);
    const hashes = childrenNamed(file, 'verification').flatMap((part) => childrenNamed(part, 'hash'));
    const urls = childrenNamed(file, 'resources').flatMap((part) => childrenNamed(part, 'url'));
    return {
      name: readFileName(file),
      ...(sizeBytes === undefined ? {} : { sizeBytes }),
      digests: readDigests(hashes, counts, warnings),
      sources: urls.flatMap((url) => readSource(url, counts, warnings)),
    };
  });
}

function readSource(element: Element, counts: EntryCounts, warnings: Warnings): MetalinkSource[] {
  const url = readUrl(element, counts, warnings);
  if (url === undefined) return [];
  const preference = readInteger(element, 'preference', { min: 0, max: 100 }, warnings);
  const maxConnections = readInteger(element, 'maxconnections', { min: 1, max: 1000 }, warnings);
  const type = element.attributes.get('type')?.trim().toLowerCase();
  return [
    {
      url,
      ...readLocation(element),
      ...(preference === undefined ? {} : { preference }),
      ...(maxConnections === undefined ? {} : { maxConnections }),
      ...(type ? { type: type.slice(0, 40) } : {}),
    },
  ];
}
