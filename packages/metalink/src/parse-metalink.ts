import { decodeMetalinkText, type Element, readElementTree } from './element-tree.ts';
import { metalinkError } from './errors.ts';
import { parseFilesV3 } from './parse-v3.ts';
import { parseFilesV4 } from './parse-v4.ts';
import type { MetalinkDocument } from './types.ts';
import { makeWarnings } from './warnings.ts';

/**
 * Reads a metalink of version 3 (metalinker.org) or 4 (RFC 5854). Malformed `<url>` and `<hash>` entries are dropped
 * with a warning, so that one bad line does not cost the mirrors that are fine.
 * @throws MillraceError of `metalinkErrors`, and nothing else whatever the input is.
 */
export function parseMetalink(source: string | Uint8Array): MetalinkDocument {
  const root = readElementTree(decodeMetalinkText(source));
  if (root.name !== 'metalink') {
    throw metalinkError('METALINK_MALFORMED', `the root element is <${root.name.slice(0, 40)}>`);
  }
  const version = versionOf(root);
  const warnings = makeWarnings();
  const files = version === 3 ? parseFilesV3(root, warnings) : parseFilesV4(root, warnings);
  if (files.length === 0) throw metalinkError('METALINK_MALFORMED', 'no <file> element');
  return { version, files, warnings: warnings.list() };
}

/** The structure decides, since real documents carry every kind of namespace and version attribute: v3 has `<files>`. */
function versionOf(root: Element): 3 | 4 {
  return root.children.some((child) => child.name === 'files') ? 3 : 4;
}
