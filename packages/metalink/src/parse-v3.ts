import { type Element, tooLarge } from './element-tree.ts';
import {
  childrenNamed,
  type EntryCounts,
  entryLimits,
  readDigests,
  readFileName,
  readMaxConnections,
  readSignature,
  readSize,
  readSources,
} from './entries.ts';
import { readPieces } from './pieces.ts';
import type { MetalinkFile } from './types.ts';
import type { Warnings } from './warnings.ts';

/**
 * Metalink 3.0: `<metalink><files><file name><size/><verification><hash type/><pieces length type><hash piece/></pieces>
 * <signature type/></verification><resources maxconnections><url type location preference maxconnections/></resources>
 * </file></files></metalink>`.
 */
export function parseFilesV3(root: Element, warnings: Warnings): MetalinkFile[] {
  const counts: EntryCounts = { urls: 0, digests: 0 };
  const files = childrenNamed(root, 'files').flatMap((list) => childrenNamed(list, 'file'));
  if (files.length > entryLimits.files) throw tooLarge(`more than ${entryLimits.files} files`);
  return files.map((file) => {
    const sizeBytes = readSize(file, warnings);
    const verification = (name: string) =>
      childrenNamed(file, 'verification').flatMap((part) => childrenNamed(part, name));
    const resources = childrenNamed(file, 'resources');
    const signature = readSignature(verification('signature'), warnings);
    const maxConnections = resources[0] && readMaxConnections(resources[0], warnings);
    return {
      name: readFileName(file),
      ...(sizeBytes === undefined ? {} : { sizeBytes }),
      digests: readDigests(verification('hash'), counts, warnings),
      pieces: readPieces(verification('pieces'), warnings),
      ...(signature ? { signature } : {}),
      ...(maxConnections === undefined ? {} : { maxConnections }),
      sources: readSources(
        resources.flatMap((part) => childrenNamed(part, 'url')),
        counts,
        warnings,
      ),
    };
  });
}
