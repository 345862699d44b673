/** Builds VMDK files sector by sector, so that each field can be made hostile on its own. */
export interface VmdkFields {
  readonly magic?: string;
  readonly version?: number;
  readonly flags?: number;
  readonly capacity?: bigint;
  readonly grainSectors?: bigint;
  readonly descriptorAt?: bigint;
  readonly descriptorSectors?: bigint;
  readonly entriesPerTable?: number;
  readonly redundantDirectory?: bigint;
  readonly directory?: bigint;
  readonly overhead?: bigint;
  readonly newlines?: string;
  readonly compression?: number;
  readonly descriptor?: string;
  /** Entries of the directory and of the one table it has. */
  readonly tables?: readonly number[];
  readonly grains?: readonly number[];
  /** The directory at the end, behind a footer. */
  readonly footer?: { readonly capacity?: bigint; readonly directory?: bigint; readonly marker?: number };
}

const sector = 512;
/** Where everything lies, in sectors: header, descriptor, directory, table, the one grain. */
const place = { descriptor: 1, directory: 21, table: 22, data: 128, end: 256 } as const;
export const vmdkCapacity = 4096n;

export const vmdkDescriptor = (change: Readonly<Record<string, string>> = {}, extra = ''): string => {
  const lines = { CID: 'fffffffe', parentCID: 'ffffffff', createType: '"monolithicSparse"', ...change };
  const settings = Object.entries(lines).map(([key, value]) => `${key}=${value}\n`);
  const extent = `RW ${vmdkCapacity} SPARSE "disk.vmdk"\n`;
  return `# Disk DescriptorFile\nversion=1\n${settings.join('')}\n# Extent description\n${extent}${extra}\n#DDB\nddb.adapterType = "ide"\n`;
};

/** A file of 128 KiB with one grain of 64 KiB. With the defaults QEMU would open it. */
export function vmdkFile(fields: VmdkFields = {}): Buffer {
  const file = Buffer.alloc(sector * place.end);
  writeHeader(file, 0, { ...fields, ...(fields.footer ? { directory: 2n ** 64n - 1n } : {}) });
  file.write(fields.descriptor ?? vmdkDescriptor(), sector * place.descriptor, 'latin1');
  for (const [index, entry] of (fields.tables ?? [place.table]).entries()) {
    file.writeUInt32LE(entry, sector * place.directory + index * 4);
  }
  for (const [index, entry] of (fields.grains ?? [place.data]).entries()) {
    file.writeUInt32LE(entry, sector * place.table + index * 4);
  }
  if (!fields.footer) return file;
  const end = Buffer.alloc(3 * sector);
  end.writeUInt32LE(1, 0);
  end.writeUInt32LE(fields.footer.marker ?? 3, 12);
  writeHeader(end, sector, { ...fields, ...fields.footer });
  return Buffer.concat([file, end]);
}

function writeHeader(file: Buffer, at: number, fields: VmdkFields): void {
  const header = file.subarray(at, at + sector);
  header.write(fields.magic ?? 'KDMV', 0, 'latin1');
  header.writeUInt32LE(fields.version ?? 1, 4);
  header.writeUInt32LE(fields.flags ?? 1, 8);
  header.writeBigUInt64LE(fields.capacity ?? vmdkCapacity, 12);
  header.writeBigUInt64LE(fields.grainSectors ?? 128n, 20);
  header.writeBigUInt64LE(fields.descriptorAt ?? BigInt(place.descriptor), 28);
  header.writeBigUInt64LE(fields.descriptorSectors ?? 20n, 36);
  header.writeUInt32LE(fields.entriesPerTable ?? 512, 44);
  header.writeBigUInt64LE(fields.redundantDirectory ?? 0n, 48);
  header.writeBigUInt64LE(fields.directory ?? BigInt(place.directory), 56);
  header.writeBigUInt64LE(fields.overhead ?? BigInt(place.data), 64);
  header.write(fields.newlines ?? '\n \r\n', 73, 'latin1');
  header.writeUInt16LE(fields.compression ?? 0, 77);
}
