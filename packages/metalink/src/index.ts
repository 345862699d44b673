export {
  type ChecksumEntry,
  type ChecksumList,
  type ChosenChecksum,
  checksumListLimits,
  chooseChecksum,
  parseChecksumList,
} from './checksum-list.ts';
export { metalinkLimitBytes } from './element-tree.ts';
export { pgpMediaType } from './entries.ts';
export * from './errors.ts';
export {
  documentOfHeaders,
  type LinkedSource,
  type MirrorHeaders,
  type ResponseHeaders,
  readMirrorHeaders,
} from './http-headers.ts';
export { looksLikeMetalink } from './looks-like-metalink.ts';
export { parseMetalink } from './parse-metalink.ts';
export * from './select-sources.ts';
export * from './types.ts';
