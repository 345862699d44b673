export interface MirroredFile {
  readonly name: string;
  readonly sizeBytes: number;
  /** SHA-256 of the file as it is transferred, lower-case hex. */
  readonly sha256: string;
  /** Best first. */
  readonly urls: readonly string[];
}

/** Writes a metalink 4 document (RFC 5854) for one file on several mirrors. */
export function writeMetalink(file: MirroredFile): string {
  const urls = file.urls.map((url, index) => `    <url priority="${index + 1}">${escapeXml(url)}</url>`);
  return [
    '<?xml version="1.0" encoding="UTF-8"?>',
    '<metalink xmlns="urn:ietf:params:xml:ns:metalink">',
    `  <file name="${escapeXml(file.name)}">`,
    `    <size>${file.sizeBytes}</size>`,
    `    <hash type="sha-256">${file.sha256}</hash>`,
    ...urls,
    '  </file>',
    '</metalink>',
    '',
  ].join('\n');
}

function escapeXml(text: string): string {
  return text
    .replaceAll('&', '&amp;')
    .replaceAll('<', '&lt;')
    .replaceAll('>', '&gt;')
    .replaceAll('"', '&quot;');
}
