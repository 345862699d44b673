import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { test } from 'node:test';
import fc from 'fast-check';
import { type FetchErrorCode, FetchFault } from '../errors.ts';
import { isoFile, type Qcow2Fields, qcow2File } from '../testing/qcow2-fixture.ts';
import type { ImageFormat } from '../types.ts';
import { headBytes, inspectHead, inspectWhole } from './inspect-image.ts';
import { judgeQcow2Header } from './qcow2-header.ts';

const gib = 1_073_741_824;
const { signal } = new AbortController();

const rules = (format: ImageFormat | undefined, maxVirtualSizeBytes = 100 * gib) => ({
  format,
  maxVirtualSizeBytes,
});

function inspect(file: Buffer, format: ImageFormat | undefined, maxVirtualSizeBytes?: number) {
  const read = async (position: number, length: number) => file.subarray(position, position + length);
  return inspectWhole({ sizeBytes: file.length, read }, rules(format, maxVirtualSizeBytes), signal);
}

function refusedAs(code: FetchErrorCode) {
  return (error: unknown) => {
    assert.ok(error instanceof FetchFault, String(error));
    assert.equal(error.code, code, error.message);
    return true;
  };
}

test('harmless qcow2 images of both versions are accepted with their virtual size', async () => {
  for (const fields of [
    {},
    { version: 2 },
    { incompatible: 1n },
    { incompatible: 8n, compressionType: 1 },
    { headerLength: 104 },
    { autoclear: 1n },
    { extensions: [{ type: 0x6803f857, data: Buffer.alloc(144) }] },
    { version: 2, extensions: [{ type: 0x12345678, data: Buffer.alloc(20) }] },
  ] satisfies Qcow2Fields[]) {
    assert.deepEqual(await inspect(qcow2File(fields), 'qcow2'), { format: 'qcow2', virtualSizeBytes: gib });
    assert.equal((await inspect(qcow2File(fields), undefined)).format, 'qcow2');
  }
});

test('what follows the header of a version 2 image is not taken for feature bits', async () => {
  // its extension begins where version 3 keeps the feature bits
  const file = qcow2File({ version: 2, extensions: [{ type: 0x6803f857, data: Buffer.alloc(48, 0xff) }] });
  assert.equal((await inspect(file, 'qcow2')).format, 'qcow2');
});

const hostile: readonly (readonly [string, Qcow2Fields, FetchErrorCode])[] = [
  ['a backing file', { backingOffset: 1024n, backingSize: 11 }, 'IMAGE_BACKING_FILE'],
  [
    'a backing file in version 2',
    { version: 2, backingOffset: 1024n, backingSize: 11 },
    'IMAGE_BACKING_FILE',
  ],
  ['a backing file name without an offset', { backingSize: 11 }, 'IMAGE_BACKING_FILE'],
  [
    'a backing format',
    { extensions: [{ type: 0xe2792aca, data: Buffer.from('raw') }] },
    'IMAGE_BACKING_FILE',
  ],
  ['an external data file', { incompatible: 4n }, 'IMAGE_DATA_FILE'],
  [
    'the name of a data file',
    { extensions: [{ type: 0x44415441, data: Buffer.from('/etc/shadow') }] },
    'IMAGE_DATA_FILE',
  ],
  [
    'the name of a data file behind another extension, in version 2',
    {
      version: 2,
      extensions: [
        { type: 0x6803f857, data: Buffer.alloc(48) },
        { type: 0x44415441, data: Buffer.from('/etc/shadow') },
      ],
    },
    'IMAGE_DATA_FILE',
  ],
  ['a raw external data file', { autoclear: 2n }, 'IMAGE_DATA_FILE'],
  ['extended L2 entries', { incompatible: 16n }, 'IMAGE_FEATURE_UNKNOWN'],
  ['an unknown feature', { incompatible: 1n << 63n }, 'IMAGE_FEATURE_UNKNOWN'],
  ['an unknown compression', { incompatible: 8n, compressionType: 2 }, 'IMAGE_FEATURE_UNKNOWN'],
  ['the corrupt mark', { incompatible: 2n }, 'IMAGE_MARKED_CORRUPT'],
  ['old encryption', { cryptMethod: 1 }, 'IMAGE_ENCRYPTED'],
  ['LUKS encryption', { cryptMethod: 2 }, 'IMAGE_ENCRYPTED'],
  ['an encryption header', { extensions: [{ type: 0x0537be77, data: Buffer.alloc(16) }] }, 'IMAGE_ENCRYPTED'],
  ['snapshots', { snapshots: 1 }, 'IMAGE_SNAPSHOTS'],
  ['an unknown version', { version: 4 }, 'IMAGE_HEADER_INVALID'],
  ['version 1', { version: 1 }, 'IMAGE_HEADER_INVALID'],
  ['clusters too small', { clusterBits: 8 }, 'IMAGE_HEADER_INVALID'],
  ['clusters too large', { clusterBits: 22 }, 'IMAGE_HEADER_INVALID'],
  ['a virtual size of zero', { virtualSize: 0n }, 'IMAGE_EMPTY'],
  ['a virtual size over the limit', { virtualSize: 2n ** 46n, l1Entries: 131_072 }, 'IMAGE_TOO_LARGE'],
  ['a virtual size beyond all numbers', { virtualSize: 2n ** 64n - 1n }, 'IMAGE_TOO_LARGE'],
  ['an L1 table too short for its size', { l1Entries: 1 }, 'IMAGE_HEADER_INVALID'],
  ['an endless L1 table', { l1Entries: 0xffff_ffff }, 'IMAGE_HEADER_INVALID'],
  ['an unaligned L1 table', { l1Offset: 3n * 65_536n + 8n }, 'IMAGE_HEADER_INVALID'],
  ['an L1 table at the header', { l1Offset: 0n }, 'IMAGE_HEADER_INVALID'],
  ['an endless refcount table', { refcountTableClusters: 0xffff_ffff }, 'IMAGE_HEADER_INVALID'],
  ['no refcount table', { refcountTableClusters: 0 }, 'IMAGE_HEADER_INVALID'],
  ['refcounts of 2^7 bits', { refcountOrder: 7 }, 'IMAGE_HEADER_INVALID'],
  ['a header too short for its version', { headerLength: 96 }, 'IMAGE_HEADER_INVALID'],
  ['a header longer than the file', { headerLength: 0xffff_fff8 }, 'IMAGE_HEADER_INVALID'],
  [
    'an extension that ends outside',
    { extensions: [{ type: 0x6803f857, data: Buffer.alloc(8), length: 0xffff_ffff }] },
    'IMAGE_HEADER_INVALID',
  ],
  [
    'the name of a data file farther behind than is looked',
    {
      clusterBits: 17,
      clusters: 8,
      l1Offset: 4n * 65_536n,
      refcountTableOffset: 2n * 65_536n,
      extensions: [
        { type: 0x6803f857, data: Buffer.alloc(65_536 - 112 - 8) },
        { type: 0x44415441, data: Buffer.from('/etc/shadow') },
      ],
    },
    'IMAGE_HEADER_INVALID',
  ],
  ['a header longer than its cluster', { clusterBits: 9, headerLength: 520 }, 'IMAGE_HEADER_INVALID'],
  ['an L2 table that overlaps others', { clusters: 6, l1: [4n * 65_536n + 512n] }, 'IMAGE_HEADER_INVALID'],
  ['an L1 table beyond the end', { l1Offset: 2n ** 40n }, 'IMAGE_TRUNCATED'],
  ['an L2 table beyond the end', { l1: [4n * 65_536n] }, 'IMAGE_TRUNCATED'],
  ['a refcount table beyond the end', { refcountTableOffset: 2n ** 40n }, 'IMAGE_TRUNCATED'],
];
for (const [what, fields, code] of hostile) {
  test(`a qcow2 image with ${what} is refused`, async () => {
    await assert.rejects(inspect(qcow2File(fields), 'qcow2'), refusedAs(code));
    await assert.rejects(inspect(qcow2File(fields), undefined), refusedAs(code));
  });
}

test('a cluster beyond the end of the file is found, in plain and in compressed entries', async () => {
  const withEntry = (entry: bigint) => {
    const file = qcow2File({ clusters: 6, l1: [(1n << 63n) | (4n * 65_536n)] });
    file.writeBigUInt64BE(entry, 4 * 65_536 + 80);
    return file;
  };
  const last = 5n * 65_536n;
  const beyond = 6n * 65_536n;
  const compressed = 1n << 62n;
  for (const entry of [last, (1n << 63n) | last, compressed | (last + 3n), beyond | 1n, 1n]) {
    assert.equal((await inspect(withEntry(entry), 'qcow2')).format, 'qcow2', entry.toString(16));
  }
  for (const entry of [beyond, (1n << 63n) | beyond, compressed | beyond]) {
    await assert.rejects(
      inspect(withEntry(entry), 'qcow2'),
      refusedAs('IMAGE_TRUNCATED'),
      entry.toString(16),
    );
  }
});

test('the real format must be the declared one', async () => {
  const cases: readonly (readonly [Buffer, ImageFormat])[] = [
    [qcow2File(), 'raw'],
    [qcow2File(), 'iso'],
    [Buffer.alloc(100_000), 'qcow2'],
    [isoFile(), 'qcow2'],
    [Buffer.alloc(100_000), 'iso'],
  ];
  for (const [file, format] of cases) {
    await assert.rejects(inspect(file, format), refusedAs('IMAGE_FORMAT_MISMATCH'), format);
  }
});

test('containers of other kinds are accepted under no name', async () => {
  const magics: readonly (readonly [string, number])[] = [
    ['QED\0', 0],
    ['KDMV', 0],
    ['COWD', 0],
    ['# Disk DescriptorFile\nversion=1', 0],
    ['conectix', 0],
    ['vhdxfile', 0],
    ['\x7f\x10\xda\xbe', 64],
    ['LUKS\xba\xbe', 0],
    ['WithoutFreeSpace', 0],
  ];
  for (const [magic, offset] of magics) {
    // an ISO's descriptor does not make it one: whoever opens it looks at the beginning first
    const file = isoFile();
    file.write(magic, offset, 'latin1');
    for (const format of ['raw', 'iso', 'qcow2'] as const) {
      await assert.rejects(
        inspect(file, format),
        refusedAs('IMAGE_FORMAT_MISMATCH'),
        `${magic} as ${format}`,
      );
    }
    // by nothing but their beginning, those that can be converted are taken for what they claim to be, and refused as that
    await assert.rejects(inspect(file, undefined), FetchFault, `${magic} as whatever it is`);
  }
  const fixedVhd = Buffer.alloc(100_352);
  fixedVhd.write('conectix', fixedVhd.length - 512, 'latin1');
  await assert.rejects(inspect(fixedVhd, 'raw'), refusedAs('IMAGE_FORMAT_MISMATCH'));
});

test('raw and ISO images are accepted, with the size of the file as virtual size', async () => {
  assert.deepEqual(await inspect(isoFile(), 'iso'), { format: 'iso', virtualSizeBytes: 100_000 });
  assert.deepEqual(await inspect(isoFile(), undefined), { format: 'iso', virtualSizeBytes: 100_000 });
  assert.deepEqual(await inspect(isoFile(), 'raw'), { format: 'raw', virtualSizeBytes: 100_000 });
  assert.deepEqual(await inspect(Buffer.alloc(512), 'raw'), { format: 'raw', virtualSizeBytes: 512 });
  await assert.rejects(inspect(Buffer.alloc(1000), 'raw', 999), refusedAs('IMAGE_TOO_LARGE'));
  await assert.rejects(inspect(Buffer.alloc(0), 'raw'), refusedAs('IMAGE_EMPTY'));
});

test('an image that is still compressed is refused', async () => {
  for (const magic of ['\x1f\x8b\x08', '\xfd7zXZ\0', '\x28\xb5\x2f\xfd', 'PK\x03\x04']) {
    const file = Buffer.alloc(70_000);
    file.write(magic, 0, 'latin1');
    await assert.rejects(inspect(file, 'raw'), refusedAs('IMAGE_NESTED_COMPRESSION'), magic);
  }
});

test('too few bytes are not judged, unless they are all there is', () => {
  assert.equal(inspectHead(qcow2File().subarray(0, 500), false, rules('qcow2')), undefined);
  assert.equal(inspectHead(qcow2File().subarray(0, headBytes), false, rules('qcow2'))?.format, 'qcow2');
  assert.throws(
    () => inspectHead(qcow2File().subarray(0, 50), true, rules('qcow2')),
    refusedAs('IMAGE_HEADER_INVALID'),
  );
});

test('any change to a header is either accepted as a sane image or refused with a code, never an accident', () => {
  const changes = fc.array(fc.tuple(fc.nat({ max: 160 }), fc.integer({ min: 0, max: 255 })), {
    maxLength: 6,
  });
  fc.assert(
    fc.property(changes, fc.constantFrom(2, 3), fc.nat({ max: 200 }), (bytes, version, cut) => {
      const file = qcow2File({ version });
      for (const [at, value] of bytes) file[at] = value;
      const head = file.subarray(0, cut > 180 ? headBytes : 60 + cut);
      try {
        const header = judgeQcow2Header(head, 100 * gib);
        assert.ok(header.virtualSizeBytes > 0 && header.virtualSizeBytes <= 100 * gib);
        assert.ok(header.l1Entries * 8 <= 32 * 1024 * 1024);
        assert.equal(head.readBigUInt64BE(8), 0n);
      } catch (error) {
        assert.ok(error instanceof FetchFault, String(error));
      }
    }),
    { numRuns: 3000 },
  );
});

test('arbitrary bytes are inspected without an accident', async () => {
  for (let round = 0; round < 200; round++) {
    const file = randomBytes(round * 37);
    try {
      await inspect(file, undefined);
    } catch (error) {
      assert.ok(error instanceof FetchFault, String(error));
    }
  }
});
