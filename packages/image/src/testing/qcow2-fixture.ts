/** Builds qcow2 files byte by byte, so that each field can be made hostile on its own. */
export interface Qcow2Fields {
  readonly version?: number;
  readonly backingOffset?: bigint;
  readonly backingSize?: number;
  readonly clusterBits?: number;
  readonly virtualSize?: bigint;
  readonly cryptMethod?: number;
  readonly l1Entries?: number;
  readonly l1Offset?: bigint;
  readonly refcountTableOffset?: bigint;
  readonly refcountTableClusters?: number;
  readonly snapshots?: number;
  readonly incompatible?: bigint;
  readonly autoclear?: bigint;
  readonly refcountOrder?: number;
  readonly headerLength?: number;
  readonly compressionType?: number;
  readonly extensions?: readonly { readonly type: number; readonly data: Buffer; readonly length?: number }[];
  /** L1 entries, as many as wanted. */
  readonly l1?: readonly bigint[];
  readonly clusters?: number;
}

const cluster = 65_536;

/** A file of four clusters: header, refcount table, refcount block, L1 table. With the defaults QEMU would open it. */
export function qcow2File(fields: Qcow2Fields = {}): Buffer {
  const file = Buffer.alloc(cluster * (fields.clusters ?? 4));
  const version = fields.version ?? 3;
  file.write('QFI\xfb', 0, 'latin1');
  file.writeUInt32BE(version, 4);
  file.writeBigUInt64BE(fields.backingOffset ?? 0n, 8);
  file.writeUInt32BE(fields.backingSize ?? 0, 16);
  file.writeUInt32BE(fields.clusterBits ?? 16, 20);
  file.writeBigUInt64BE(fields.virtualSize ?? 1_073_741_824n, 24);
  file.writeUInt32BE(fields.cryptMethod ?? 0, 32);
  file.writeUInt32BE(fields.l1Entries ?? 2, 36);
  file.writeBigUInt64BE(fields.l1Offset ?? BigInt(3 * cluster), 40);
  file.writeBigUInt64BE(fields.refcountTableOffset ?? BigInt(cluster), 48);
  file.writeUInt32BE(fields.refcountTableClusters ?? 1, 56);
  file.writeUInt32BE(fields.snapshots ?? 0, 60);
  const headerLength = fields.headerLength ?? (version === 2 ? 72 : 112);
  if (version >= 3) {
    file.writeBigUInt64BE(fields.incompatible ?? 0n, 72);
    file.writeBigUInt64BE(fields.autoclear ?? 0n, 88);
    file.writeUInt32BE(fields.refcountOrder ?? 4, 96);
    file.writeUInt32BE(headerLength, 100);
    if (headerLength > 104) file.writeUInt8(fields.compressionType ?? 0, 104);
  }
  let at = version === 2 ? 72 : Math.min(headerLength, 1024);
  for (const { type, data, length } of fields.extensions ?? []) {
    file.writeUInt32BE(type, at);
    file.writeUInt32BE(length ?? data.length, at + 4);
    data.copy(file, at + 8);
    at += 8 + Math.ceil(data.length / 8) * 8;
  }
  file.writeBigUInt64BE(BigInt(2 * cluster), cluster);
  for (const [index, entry] of (fields.l1 ?? []).entries())
    file.writeBigUInt64BE(entry, 3 * cluster + index * 8);
  return file;
}

/** A file with the identifier of ISO 9660 where it belongs. */
export function isoFile(sizeBytes = 100_000): Buffer {
  const file = Buffer.alloc(sizeBytes);
  file.write('\x01CD001\x01', 16 * 2048, 'latin1');
  return file;
}
