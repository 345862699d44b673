/** One member of an archive. A directory has no content; parents must come before what lies in them. */
export type CpioEntry =
  | { readonly kind: 'directory'; readonly path: string; readonly mode?: number }
  | { readonly kind: 'file'; readonly path: string; readonly mode?: number; readonly content: Uint8Array }
  | { readonly kind: 'symlink'; readonly path: string; readonly target: string }
  | {
      readonly kind: 'character-device';
      readonly path: string;
      readonly mode?: number;
      readonly major: number;
      readonly minor: number;
    };

const fileTypes = { directory: 0o040000, file: 0o100000, symlink: 0o120000, 'character-device': 0o020000 };
const defaultModes = { directory: 0o755, file: 0o644, symlink: 0o777, 'character-device': 0o600 };

/**
 * Packs entries as a `newc` cpio archive, the format the Linux kernel unpacks as its initial file system
 * (Documentation/driver-api/early-userspace/buffer-format.rst). Everything belongs to root and carries no time, so the
 * same entries give the same bytes.
 */
export function packCpio(entries: readonly CpioEntry[]): Buffer {
  const parts: Buffer[] = [];
  entries.forEach((entry, index) => {
    parts.push(...member(entry, index + 1));
  });
  parts.push(...header({ path: 'TRAILER!!!', inode: 0, mode: 0, links: 1, size: 0, major: 0, minor: 0 }));
  return Buffer.concat(parts);
}

function member(entry: CpioEntry, inode: number): Buffer[] {
  const content =
    entry.kind === 'file'
      ? Buffer.from(entry.content)
      : Buffer.from(entry.kind === 'symlink' ? entry.target : '');
  const permissions = ('mode' in entry ? entry.mode : undefined) ?? defaultModes[entry.kind];
  const device = entry.kind === 'character-device' ? entry : { major: 0, minor: 0 };
  return [
    ...header({
      path: entry.path,
      inode,
      mode: fileTypes[entry.kind] | permissions,
      links: entry.kind === 'directory' ? 2 : 1,
      size: content.length,
      major: device.major,
      minor: device.minor,
    }),
    content,
    padding(content.length),
  ];
}

interface Header {
  readonly path: string;
  readonly inode: number;
  readonly mode: number;
  readonly links: number;
  readonly size: number;
  readonly major: number;
  readonly minor: number;
}

function header(fields: Header): Buffer[] {
  const name = Buffer.from(`${fields.path}\0`);
  const numbers = [
    fields.inode,
    fields.mode,
    0, // uid
    0, // gid
    fields.links,
    0, // mtime
    fields.size,
    0, // major and minor of the device the file lay on
    0,
    fields.major,
    fields.minor,
    name.length,
    0, // checksum, used by the `crc` variant only
  ];
  const text = `070701${numbers.map((number) => number.toString(16).padStart(8, '0')).join('')}`;
  const head = Buffer.concat([Buffer.from(text), name]);
  return [head, padding(head.length)];
}

/** Headers and contents each end on a multiple of four bytes. */
function padding(length: number): Buffer {
  return Buffer.alloc((4 - (length % 4)) % 4);
}
