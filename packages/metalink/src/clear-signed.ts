/** What stands inside the frame of a clear-signed message (RFC 9580 §7). */
export interface ClearSignedText {
  /** Without its dash escapes. */
  readonly text: string;
  /** There is more in front of or behind the message, which its signature does not cover. */
  readonly outside: boolean;
}

const begin = '-----BEGIN PGP SIGNED MESSAGE-----';
const signature = '-----BEGIN PGP SIGNATURE-----';
const end = '-----END PGP SIGNATURE-----';

/**
 * The text of a clear-signed message; `undefined` when there is no frame, `malformed` when it is cut or repeated. Nothing is
 * verified here.
 */
export function clearSignedText(whole: string): ClearSignedText | 'malformed' | undefined {
  const lines = whole.split(/\r?\n/).map((line) => ({ line, bare: line.trimEnd() }));
  const first = lines.findIndex(({ bare }) => bare === begin);
  if (first === -1) return undefined;
  const blank = lines.findIndex(({ bare }, index) => index > first && bare === '');
  const last = lines.findIndex(({ bare }, index) => index > blank && bare === signature);
  const close = lines.findIndex(({ bare }, index) => index > last && bare === end);
  if (blank === -1 || last === -1 || close === -1) return 'malformed';
  const outer = [...lines.slice(0, first), ...lines.slice(close + 1)];
  if (outer.some(({ bare }) => bare === begin)) return 'malformed';
  // "Hash: SHA512" and the like; anything else in front of the blank line would look signed without being so
  const headers = lines.slice(first + 1, blank);
  if (!headers.every(({ bare }) => /^Hash: [A-Za-z0-9, -]*$/.test(bare))) return 'malformed';
  const inner = lines.slice(blank + 1, last);
  if (inner.some(({ line }) => line.startsWith('-') && !line.startsWith('- '))) return 'malformed';
  return {
    text: inner.map(({ line }) => line.replace(/^- /, '')).join('\n'),
    outside: outer.some(({ bare }) => bare.trim() !== ''),
  };
}
