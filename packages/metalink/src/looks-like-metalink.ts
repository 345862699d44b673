const xmlStart = /^\uFEFF?\s*<(?:\?xml|!--|!DOCTYPE|(?:[\w.-]+:)?metalink[\s>/])/i;
const rootElement = /<(?:[\w.-]+:)?metalink[\s>/]/;

/**
 * True when the first bytes of a file are those of a metalink: told by content, since neither suffixes nor media types
 * of servers can be relied on. A few KiB are enough unless a long comment comes first.
 */
export function looksLikeMetalink(firstBytes: Uint8Array): boolean {
  // latin1 maps every byte to a character: no disk image can make this throw or guess an encoding
  const text = Buffer.from(firstBytes.buffer, firstBytes.byteOffset, firstBytes.byteLength)
    .toString('latin1')
    .replace(/^\u00EF\u00BB\u00BF/, '');
  return xmlStart.test(text) && rootElement.test(text);
}
