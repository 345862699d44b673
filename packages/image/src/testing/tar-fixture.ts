/** Builds tar files block by block, so that each field can be made wrong on its own. */
export interface TarMember {
  readonly name?: string;
  readonly content?: Buffer;
  readonly type?: string;
  /** What the header says of the size, where it is not that of the content. */
  readonly size?: string | Buffer;
  readonly prefix?: string;
  readonly magic?: string;
  readonly checksum?: string;
}

export const tarContent: Buffer = Buffer.from('a disk '.repeat(3000));

/** The members one after the other, then `end`, by default the two blocks of zeros that an archive ends with. */
export function tarFile(members: readonly TarMember[] = [{}], end: Buffer = Buffer.alloc(1024)): Buffer {
  return Buffer.concat([...members.map(tarMember), end]);
}

export function tarMember(member: TarMember = {}): Buffer {
  const content = member.content ?? tarContent;
  const header = Buffer.alloc(512);
  header.write(member.name ?? 'disk.raw', 0, 100);
  header.write('0000644\0', 100);
  header.write('0000000\0', 108);
  header.write('0000000\0', 116);
  const size = member.size ?? `${content.length.toString(8).padStart(11, '0')}\0`;
  Buffer.from(size).copy(header, 124, 0, 12);
  header.write('14000000000\0', 136);
  header.write(member.type ?? '0', 156, 'latin1');
  header.write(member.magic ?? 'ustar\x0000', 257, 'latin1');
  header.write(member.prefix ?? '', 345);
  header.write('        ', 148);
  const sum = header.reduce((total, byte) => total + byte, 0);
  header.write(member.checksum ?? `${sum.toString(8).padStart(6, '0')}\0 `, 148);
  return Buffer.concat([header, content, Buffer.alloc((512 - (content.length % 512)) % 512)]);
}

/** An extended header with these records (`x` for the next member, `g` for all). */
export function paxHeader(records: Readonly<Record<string, string>>, type = 'x'): Buffer {
  const lines = Object.entries(records).map(([key, value]) => {
    const rest = ` ${key}=${value}\n`;
    let length = Buffer.byteLength(rest) + 1;
    while (Buffer.byteLength(`${length}${rest}`) !== length) length++;
    return `${length}${rest}`;
  });
  return tarMember({ name: 'PaxHeaders/x', type, content: Buffer.from(lines.join('')) });
}
