import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { FetchErrorCode } from '../errors.ts';
import { faultOf } from '../testing/decode.ts';
import { dynamicVhd, fixedVhd, type VhdFields, vhdFooter, vhdSize } from '../testing/vhd-fixture.ts';
import { type VhdxFields, vhdxFile, vhdxItems, vhdxRegions, vhdxSize } from '../testing/vhdx-fixture.ts';
import { type VmdkFields, vmdkCapacity, vmdkDescriptor, vmdkFile } from '../testing/vmdk-fixture.ts';
import type { ForeignFormat } from '../types.ts';
import { crc32cWithout } from './crc32c.ts';
import { foreignFormatOf, judgeForeignHead, judgeForeignImage } from './foreign-image.ts';
import { headBytes } from './inspect-image.ts';

const { signal } = new AbortController();
const tebibyte = 2 ** 40;

function judge(format: ForeignFormat, file: Buffer, max = tebibyte): Promise<number> {
  const read = async (position: number, length: number) => file.subarray(position, position + length);
  return judgeForeignImage[format]({ sizeBytes: file.length, read }, max, signal);
}

const vmdkSize = Number(vmdkCapacity) * 512;
const atEnd = { footer: {} };
const descriptor = (change: Record<string, string>, extra?: string) => ({
  descriptor: vmdkDescriptor(change, extra),
});

test('harmless VMDK files of both kinds are accepted with their virtual size', async () => {
  const files: readonly VmdkFields[] = [
    {},
    { version: 3, flags: 0x30001, compression: 1, ...descriptor({ createType: '"streamOptimized"' }) },
    { ...atEnd, ...descriptor({ createType: '"streamOptimized"' }) },
    { flags: 3, redundantDirectory: 21n },
    { flags: 0, newlines: '\0\0\0\0' },
    { tables: [0], grains: [] },
    { grains: [0, 1, 128, 0] },
    descriptor({ parentCID: 'FFFFFFFF', 'ddb.comment': '"a b"' }),
    { descriptor: vmdkDescriptor().replace('RW', 'RDONLY').replaceAll('\n', '\r\n') },
  ];
  for (const fields of files) {
    assert.equal(await judge('vmdk', vmdkFile(fields)), vmdkSize, JSON.stringify(Object.keys(fields)));
  }
  const head = vmdkFile().subarray(0, headBytes);
  assert.equal(foreignFormatOf(head), 'vmdk');
  assert.equal(judgeForeignHead('vmdk', head, tebibyte), vmdkSize);
});

const hostileVmdk: readonly (readonly [string, VmdkFields, FetchErrorCode])[] = [
  ['another magic', { magic: 'COWD' }, 'IMAGE_HEADER_INVALID'],
  ['an unknown version', { version: 4 }, 'IMAGE_HEADER_INVALID'],
  ['unknown flags', { flags: 1 << 5 }, 'IMAGE_FEATURE_UNKNOWN'],
  ['an unknown compression', { compression: 2 }, 'IMAGE_FEATURE_UNKNOWN'],
  ['newlines that a text transfer changed', { newlines: '\n \n\n' }, 'IMAGE_HEADER_INVALID'],
  ['no capacity, so that its descriptor would be followed', { capacity: 0n }, 'IMAGE_EMPTY'],
  ['a capacity over the limit', { capacity: 2n ** 40n }, 'IMAGE_TOO_LARGE'],
  ['a capacity beyond all numbers', { capacity: 2n ** 64n - 1n }, 'IMAGE_TOO_LARGE'],
  ['grains of no size', { grainSectors: 0n }, 'IMAGE_HEADER_INVALID'],
  ['grains of an odd size', { grainSectors: 100n }, 'IMAGE_HEADER_INVALID'],
  ['grains too large', { grainSectors: 8192n }, 'IMAGE_HEADER_INVALID'],
  ['grains beyond all numbers', { grainSectors: 2n ** 63n }, 'IMAGE_HEADER_INVALID'],
  ['tables of another size', { entriesPerTable: 0xffff_ffff }, 'IMAGE_HEADER_INVALID'],
  ['no descriptor', { descriptorAt: 0n }, 'IMAGE_HEADER_INVALID'],
  ['a descriptor elsewhere', { descriptorAt: 100n }, 'IMAGE_HEADER_INVALID'],
  ['an endless descriptor', { descriptorSectors: 2n ** 40n }, 'IMAGE_HEADER_INVALID'],
  ['a descriptor that reaches into the data', { descriptorSectors: 128n }, 'IMAGE_HEADER_INVALID'],
  ['an empty descriptor', { descriptor: '' }, 'IMAGE_HEADER_INVALID'],
  ['a parent', descriptor({ parentCID: '12345678' }), 'IMAGE_BACKING_FILE'],
  ['the name of a parent', descriptor({ parentFileNameHint: '"/etc/passwd"' }), 'IMAGE_BACKING_FILE'],
  [
    'the name of a parent in a comment',
    descriptor({}, '#parentFileNameHint="/etc/passwd"'),
    'IMAGE_BACKING_FILE',
  ],
  [
    'the name of a parent where only QEMU looks',
    { descriptorSectors: 2n, descriptor: `${vmdkDescriptor().padEnd(3000, '\n')}parentFileNameHint="/x"` },
    'IMAGE_BACKING_FILE',
  ],
  [
    'no word on a parent',
    { descriptor: vmdkDescriptor().replace(/parentCID.*\n/, '') },
    'IMAGE_BACKING_FILE',
  ],
  ['two parents', descriptor({ parentcid: '12345678' }), 'IMAGE_HEADER_INVALID'],
  ['a flat disk', descriptor({ createType: '"monolithicFlat"' }), 'IMAGE_DATA_FILE'],
  ['several files', descriptor({ createType: '"twoGbMaxExtentSparse"' }), 'IMAGE_DATA_FILE'],
  ['a device', descriptor({ createType: '"fullDevice"' }), 'IMAGE_DATA_FILE'],
  ['no kind', { descriptor: vmdkDescriptor().replace(/createType.*\n/, '') }, 'IMAGE_DATA_FILE'],
  ['two kinds', descriptor({ createtype: '"monolithicFlat"' }), 'IMAGE_HEADER_INVALID'],
  ['a flat extent', { descriptor: vmdkDescriptor().replace('SPARSE', 'FLAT') }, 'IMAGE_DATA_FILE'],
  ['a flat extent besides', descriptor({}, 'RW 10 FLAT "/etc/passwd" 0'), 'IMAGE_DATA_FILE'],
  ['two extents', descriptor({}, 'RW 4096 SPARSE "b.vmdk"'), 'IMAGE_DATA_FILE'],
  ['no extent', { descriptor: vmdkDescriptor().replace(/RW.*\n/, '') }, 'IMAGE_DATA_FILE'],
  [
    'an extent in a directory',
    { descriptor: vmdkDescriptor().replace('disk.vmdk', '/etc/passwd') },
    'IMAGE_DATA_FILE',
  ],
  [
    'an extent in a directory above',
    { descriptor: vmdkDescriptor().replace('disk.vmdk', '..') },
    'IMAGE_DATA_FILE',
  ],
  [
    'an extent on the network',
    { descriptor: vmdkDescriptor().replace('disk.vmdk', 'nbd:unix') },
    'IMAGE_DATA_FILE',
  ],
  [
    'an extent of another size',
    { descriptor: vmdkDescriptor().replace('4096', '4097') },
    'IMAGE_HEADER_INVALID',
  ],
  ['a line nobody knows', descriptor({}, 'what is this'), 'IMAGE_DATA_FILE'],
  [
    'something behind the descriptor',
    { descriptor: `${vmdkDescriptor()}\0RW 1 FLAT "/etc/passwd"` },
    'IMAGE_HEADER_INVALID',
  ],
  [
    'more behind the descriptor than QEMU leaves of an older one',
    { descriptor: `${vmdkDescriptor()}\0${'"'.repeat(8)}` },
    'IMAGE_HEADER_INVALID',
  ],
  ['a key', descriptor({ 'encryption.keySafe': '"vmware:key/list"' }), 'IMAGE_ENCRYPTED'],
  ['data beyond its end', { overhead: 10_000n }, 'IMAGE_TRUNCATED'],
  ['a directory beyond its end', { directory: 10_000n }, 'IMAGE_TRUNCATED'],
  ['a directory beyond all numbers', { directory: 2n ** 62n }, 'IMAGE_HEADER_INVALID'],
  ['a second directory beyond its end', { flags: 3, redundantDirectory: 10_000n }, 'IMAGE_TRUNCATED'],
  ['a table beyond its end', { tables: [0xffff_ffff] }, 'IMAGE_TRUNCATED'],
  ['a grain beyond its end', { grains: [128, 256] }, 'IMAGE_TRUNCATED'],
  ['a footer of another size', { footer: { capacity: 1n } }, 'IMAGE_HEADER_INVALID'],
  ['a footer without a directory', { footer: { directory: 2n ** 64n - 1n } }, 'IMAGE_HEADER_INVALID'],
  ['a footer with a directory elsewhere', { footer: { directory: 10_000n } }, 'IMAGE_TRUNCATED'],
  ['no footer', { footer: { marker: 1 } }, 'IMAGE_TRUNCATED'],
];
for (const [what, fields, code] of hostileVmdk) {
  test(`a VMDK with ${what} is refused`, () =>
    assert.rejects(judge('vmdk', vmdkFile(fields)), faultOf(code)));
}

test('a VMDK whose content ID QEMU made shorter, and of whose older descriptor the end is left, is taken', async () => {
  for (const leftover of ['\n', '"ide"\n', '= "ide"'])
    await judge('vmdk', vmdkFile({ descriptor: `${vmdkDescriptor()}\0${leftover}` }));
});

test('a VMDK that ends in its footer or in its last grain is truncated', async () => {
  const stream = vmdkFile({ ...atEnd, ...descriptor({ createType: '"streamOptimized"' }) });
  for (const cut of [1, 512, 1024, 1536]) {
    await assert.rejects(judge('vmdk', stream.subarray(0, -cut)), faultOf('IMAGE_TRUNCATED'), `${cut}`);
  }
  const marked = vmdkFile({ flags: 0x30001, compression: 1 });
  marked.writeUInt32LE(70_000, 128 * 512 + 8);
  await assert.rejects(judge('vmdk', marked), faultOf('IMAGE_TRUNCATED', /last grain/));
});

test('a VMDK that is a description of other files is not taken for an image', () => {
  assert.equal(foreignFormatOf(Buffer.from('# Disk DescriptorFile\nversion=1\n')), undefined);
  assert.throws(
    () => judgeForeignHead('vmdk', Buffer.from('KDMV'), tebibyte),
    faultOf('IMAGE_HEADER_INVALID'),
  );
});

test('harmless VHD files of both kinds are accepted with their virtual size', async () => {
  for (const file of [
    dynamicVhd(),
    fixedVhd(),
    dynamicVhd({ blocks: [] }),
    dynamicVhd({ header: { entries: 3 } }),
  ]) {
    assert.equal(await judge('vhd', file), Number(vhdSize));
  }
  assert.equal(foreignFormatOf(dynamicVhd().subarray(0, headBytes)), 'vhd');
  assert.equal(judgeForeignHead('vhd', dynamicVhd().subarray(0, headBytes), tebibyte), Number(vhdSize));
});

const parent = (offset: number) => ({ header: { at: [offset, Buffer.from('/etc/passwd')] as const } });
const hostileVhd: readonly (readonly [string, VhdFields, FetchErrorCode])[] = [
  ['a parent', { type: 4 }, 'IMAGE_BACKING_FILE'],
  ['an unknown type', { type: 0 }, 'IMAGE_HEADER_INVALID'],
  ['an unknown version', { version: 0x00020000 }, 'IMAGE_HEADER_INVALID'],
  ['a wrong checksum', { checksum: 1 }, 'IMAGE_HEADER_INVALID'],
  ['no size', { currentSize: 0n, cylinders: 0 }, 'IMAGE_EMPTY'],
  ['no size but a geometry', { currentSize: 0n }, 'IMAGE_EMPTY'],
  ['a size over the limit', { currentSize: 2n ** 41n }, 'IMAGE_TOO_LARGE'],
  ['a size beyond all numbers', { currentSize: 2n ** 64n - 512n }, 'IMAGE_TOO_LARGE'],
  ['half a sector', { currentSize: 1000n }, 'IMAGE_HEADER_INVALID'],
  ['the state of a machine', { savedState: 1 }, 'IMAGE_SNAPSHOTS'],
  ['a header beyond its end', { headerOffset: 2n ** 40n }, 'IMAGE_TRUNCATED'],
  ['a header beyond all numbers', { headerOffset: 2n ** 63n }, 'IMAGE_HEADER_INVALID'],
  ['no dynamic header', { header: { magic: 'something' } }, 'IMAGE_HEADER_INVALID'],
  ['a wrong checksum of its header', { header: { checksum: 1 } }, 'IMAGE_HEADER_INVALID'],
  ['a header of another version', { header: { version: 0x00020000 } }, 'IMAGE_HEADER_INVALID'],
  ['something behind its header', { header: { next: 1024n } }, 'IMAGE_HEADER_INVALID'],
  ['the identity of a parent', parent(40), 'IMAGE_BACKING_FILE'],
  ['the name of a parent', parent(64), 'IMAGE_BACKING_FILE'],
  ['places of a parent', parent(576), 'IMAGE_BACKING_FILE'],
  ['blocks of no size', { header: { blockBytes: 0 } }, 'IMAGE_HEADER_INVALID'],
  ['blocks of an odd size', { header: { blockBytes: 3_000_000 } }, 'IMAGE_HEADER_INVALID'],
  ['blocks too large', { header: { blockBytes: 2 ** 31 } }, 'IMAGE_HEADER_INVALID'],
  ['too short a table', { header: { entries: 1 } }, 'IMAGE_HEADER_INVALID'],
  ['an endless table', { header: { entries: 0xffff_ffff } }, 'IMAGE_TRUNCATED'],
  ['a table beyond its end', { header: { table: 2n ** 40n } }, 'IMAGE_TRUNCATED'],
  ['a block beyond its end', { blocks: [4, 0xffff_fffe] }, 'IMAGE_TRUNCATED'],
];
for (const [what, fields, code] of hostileVhd) {
  test(`a dynamic VHD with ${what} is refused`, () =>
    assert.rejects(judge('vhd', dynamicVhd(fields)), faultOf(code)));
}

test('the geometry of a VHD is held against the limit as well', async () => {
  await assert.rejects(judge('vhd', dynamicVhd({ cylinders: 65_535 }), 1e9), faultOf('IMAGE_TOO_LARGE'));
});

test('a VHD whose end, or whose agreement with its beginning, is missing is refused', async () => {
  await assert.rejects(judge('vhd', dynamicVhd().subarray(0, -512)), faultOf('IMAGE_TRUNCATED'));
  await assert.rejects(judge('vhd', dynamicVhd().subarray(0, 100)), faultOf('IMAGE_TRUNCATED'));
  const differing = dynamicVhd();
  vhdFooter({ type: 2 }).copy(differing, 0);
  await assert.rejects(judge('vhd', differing), faultOf('IMAGE_HEADER_INVALID', /differ/));
  const disguised = fixedVhd();
  vhdFooter({ type: 3 }).copy(disguised, 0);
  await assert.rejects(judge('vhd', disguised), faultOf('IMAGE_HEADER_INVALID', /beginning/));
  await assert.rejects(judge('vhd', fixedVhd().subarray(512)), faultOf('IMAGE_TRUNCATED'));
  const longer = Buffer.concat([Buffer.alloc(512), fixedVhd()]);
  await assert.rejects(judge('vhd', longer), faultOf('IMAGE_HEADER_INVALID'));
});

test('harmless VHDX files are accepted with their virtual size', async () => {
  const unknown = { id: '00000000-0000-0000-0000-000000000001', offset: 0, bytes: 0 };
  const { parameters, size, sector } = vhdxItems;
  for (const fields of [
    {},
    { headers: [{ sequence: 5n }, { sequence: 4n, log: true }] },
    { headers: [{ sequence: 4n, log: true }, { sequence: 5n }] },
    { headers: [{ checksum: 1 }, {}] },
    { headers: [{}, { magic: 'nope' }] },
    { regions: [unknown, vhdxRegions.metadata, vhdxRegions.blocks] },
    { items: [unknown, sector, size, parameters] },
    { blocks: [2n, 3n] },
  ] satisfies VhdxFields[]) {
    assert.equal(await judge('vhdx', vhdxFile(fields)), Number(vhdxSize));
  }
  assert.equal(foreignFormatOf(vhdxFile().subarray(0, headBytes)), 'vhdx');
  assert.equal(judgeForeignHead('vhdx', vhdxFile().subarray(0, headBytes), tebibyte), undefined);
});

const { blocks, metadata } = vhdxRegions;
const { parameters, size, sector } = vhdxItems;
const strange = { id: '00000000-0000-0000-0000-000000000001', offset: 0, bytes: 0, required: true };
const hostileVhdx: readonly (readonly [string, VhdxFields, FetchErrorCode])[] = [
  ['another magic', { magic: 'vhdxfilf' }, 'IMAGE_HEADER_INVALID'],
  ['two damaged headers', { headers: [{ checksum: 1 }, { checksum: 1 }] }, 'IMAGE_HEADER_INVALID'],
  ['two headers of the same number', { headers: [{}, { log: true }] }, 'IMAGE_HEADER_INVALID'],
  ['an unknown version', { headers: [{ version: 2 }, { version: 2 }] }, 'IMAGE_HEADER_INVALID'],
  ['a log', { headers: [{ sequence: 1n }, { sequence: 2n, log: true }] }, 'IMAGE_MARKED_CORRUPT'],
  [
    'a log and one damaged header',
    { headers: [{ log: true }, { sequence: 2n, checksum: 1 }] },
    'IMAGE_MARKED_CORRUPT',
  ],
  ['a wrong checksum of its regions', { regionTableChecksum: 1 }, 'IMAGE_HEADER_INVALID'],
  ['region tables that differ', { copyDiffers: true }, 'IMAGE_HEADER_INVALID'],
  ['endless regions', { regionCount: 0xffff_ffff }, 'IMAGE_HEADER_INVALID'],
  ['an unknown region that is required', { regions: [blocks, metadata, strange] }, 'IMAGE_FEATURE_UNKNOWN'],
  ['a region twice', { regions: [blocks, blocks, metadata] }, 'IMAGE_HEADER_INVALID'],
  ['no block table', { regions: [metadata] }, 'IMAGE_HEADER_INVALID'],
  ['no metadata', { regions: [blocks] }, 'IMAGE_HEADER_INVALID'],
  ['a region over its header', { regions: [blocks, { ...metadata, offset: 0 }] }, 'IMAGE_HEADER_INVALID'],
  ['a region beyond its end', { regions: [blocks, { ...metadata, bytes: 2 ** 30 }] }, 'IMAGE_TRUNCATED'],
  ['metadata that is something else', { metadataMagic: 'metadatb' }, 'IMAGE_HEADER_INVALID'],
  ['too short metadata', { regions: [blocks, { ...metadata, bytes: 1000 }] }, 'IMAGE_HEADER_INVALID'],
  ['endless metadata', { itemCount: 0xffff }, 'IMAGE_HEADER_INVALID'],
  ['the place of a parent', { items: [parameters, size, sector, vhdxItems.parent] }, 'IMAGE_BACKING_FILE'],
  ['a parent', { parameterFlags: 2 }, 'IMAGE_BACKING_FILE'],
  [
    'unknown metadata that is required',
    { items: [parameters, size, sector, strange] },
    'IMAGE_FEATURE_UNKNOWN',
  ],
  ['two sizes', { items: [parameters, size, size, sector] }, 'IMAGE_HEADER_INVALID'],
  ['no size', { items: [parameters, sector] }, 'IMAGE_HEADER_INVALID'],
  [
    'a size outside of the metadata',
    { items: [parameters, { ...size, offset: 0xffff_fff0 }, sector] },
    'IMAGE_HEADER_INVALID',
  ],
  ['a size in the table', { items: [parameters, { ...size, offset: 32 }, sector] }, 'IMAGE_HEADER_INVALID'],
  [
    'a size of another length',
    { items: [parameters, { ...size, bytes: 4 }, sector] },
    'IMAGE_HEADER_INVALID',
  ],
  ['a virtual size of zero', { virtualSize: 0n }, 'IMAGE_EMPTY'],
  ['a virtual size over the limit', { virtualSize: 2n ** 41n }, 'IMAGE_TOO_LARGE'],
  ['half a sector', { virtualSize: vhdxSize + 100n }, 'IMAGE_HEADER_INVALID'],
  ['sectors of another size', { sectorBytes: 513 }, 'IMAGE_HEADER_INVALID'],
  ['sectors of no size', { sectorBytes: 0 }, 'IMAGE_HEADER_INVALID'],
  ['blocks of no size', { blockBytes: 0 }, 'IMAGE_HEADER_INVALID'],
  ['blocks too large', { blockBytes: 2 ** 31 }, 'IMAGE_HEADER_INVALID'],
  ['too short a block table', { virtualSize: 2n ** 38n }, 'IMAGE_HEADER_INVALID'],
  ['a block beyond its end', { blocks: [(5n << 20n) | 6n] }, 'IMAGE_TRUNCATED'],
  ['a block beyond all numbers', { blocks: [2n ** 64n - 2n] }, 'IMAGE_TRUNCATED'],
  ['a block in a parent', { blocks: [(4n << 20n) | 7n] }, 'IMAGE_BACKING_FILE'],
  ['a block in an unknown state', { blocks: [4n] }, 'IMAGE_HEADER_INVALID'],
];
for (const [what, fields, code] of hostileVhdx) {
  test(`a VHDX with ${what} is refused`, () =>
    assert.rejects(judge('vhdx', vhdxFile(fields)), faultOf(code)));
}

test('the checksum of VHDX is the CRC-32C of RFC 3720', () => {
  const zeros = Buffer.alloc(32);
  assert.equal(crc32cWithout(zeros, 0), 0x8a9136aa);
  assert.equal(crc32cWithout(Buffer.alloc(32, 0xff), 32), 0x62a8ab43);
  assert.equal(crc32cWithout(Buffer.from('123456789'), 9), 0xe3069283);
});
