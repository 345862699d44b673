import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { test } from 'node:test';
import { deflateRawSync } from 'node:zlib';
import { type FetchErrorCode, FetchFault } from '../errors.ts';
import { collect, decodeAll, faultOf, inPieces } from '../testing/decode.ts';
import { type ZipMember, type ZipShape, zipContent, zipFile } from '../testing/zip-fixture.ts';
import { detectCompression } from './compression.ts';
import { unpackZip } from './unpack-zip.ts';

const { signal } = new AbortController();
const directory: ZipMember = { name: 'images/', content: Buffer.alloc(0), method: 0, unixMode: 0o040755 };

test('a member is unpacked whatever way its sizes are told, however the file is cut into pieces', async () => {
  const shapes: readonly (readonly [string, ZipShape])[] = [
    ['deflated', {}],
    ['stored', { members: [{ method: 0 }] }],
    ['stored in zip64', { members: [{ method: 0, zip64: true }], zip64End: true }],
    ['deflated in zip64', { members: [{ zip64: true }], zip64End: true }],
    ['a descriptor', { members: [{ descriptor: 'narrow' }] }],
    ['a descriptor without a signature', { members: [{ descriptor: 'bare' }] }],
    ['a wide descriptor', { members: [{ descriptor: 'wide', zip64: true }], zip64End: true }],
    ['a wide descriptor that nothing announces', { members: [{ descriptor: 'wide' }] }],
    ['a wide descriptor without a signature', { members: [{ descriptor: 'bare-wide' }] }],
    ['a comment', { comment: 'PK\x05\x06 is what a comment may say' }],
    ['directories', { members: [directory, { name: 'images/disk.raw' }, { ...directory, name: 'more/' }] }],
    ['a directory with a descriptor', { members: [{ ...directory, descriptor: 'narrow' }, {}] }],
    ['a deflated directory', { members: [{ ...directory, method: 8, descriptor: 'wide' }, {}] }],
    ['no word on the type', { members: [{ unixMode: 0 }] }],
    ['the type that Info-ZIP gives its input', { members: [{ unixMode: 0o010600, name: '-' }] }],
  ];
  for (const [what, shape] of shapes) {
    const file = zipFile(shape);
    assert.equal(detectCompression(file), 'zip');
    for (const pieceBytes of [file.length, 1000, 7, 1]) {
      const unpacked = await decodeAll(unpackZip, file, pieceBytes);
      assert.ok(unpacked.equals(zipContent), `${what} in pieces of ${pieceBytes}`);
    }
  }
});

test('deflate blocks that end exactly where a piece does are followed by the right record', async () => {
  const content = randomBytes(3000);
  const file = zipFile({ members: [{ content, descriptor: 'narrow' }] });
  const dataEnd = 30 + 'image.raw'.length + 5 + deflateRawSync(content).length;
  for (const first of [dataEnd - 1, dataEnd, dataEnd + 1, dataEnd + 4, dataEnd + 16]) {
    const input = async function* () {
      yield file.subarray(0, first);
      yield file.subarray(first);
    };
    assert.ok((await collect(unpackZip(input(), { signal }))).equals(content), `${first - dataEnd}`);
  }
});

const wrong: readonly (readonly [string, ZipShape, FetchErrorCode, RegExp])[] = [
  ['an encrypted member', { members: [{ flags: 1 }] }, 'ARCHIVE_UNSUPPORTED', /encrypted/],
  ['a strongly encrypted one', { members: [{ flags: 0x40 }] }, 'ARCHIVE_UNSUPPORTED', /encrypted/],
  ['a masked directory', { members: [{ flags: 0x2000 }] }, 'ARCHIVE_UNSUPPORTED', /encrypted/],
  ['a patch', { members: [{ flags: 0x20 }] }, 'ARCHIVE_UNSUPPORTED', /patch/],
  ['deflate64', { members: [{ method: 9 }] }, 'ARCHIVE_UNSUPPORTED', /method 9/],
  [
    'stored data of unknown length',
    { members: [{ method: 0, descriptor: 'narrow' }] },
    'ARCHIVE_UNSUPPORTED',
    /without its size/,
  ],
  ['two files', { members: [{}, { name: 'b' }] }, 'ARCHIVE_UNSUPPORTED', /more than one/],
  ['no file', { members: [directory] }, 'ARCHIVE_UNSUPPORTED', /no file/],
  ['a name that climbs', { members: [{ name: 'a/../../etc/shadow' }] }, 'ARCHIVE_UNSUPPORTED', /leads out/],
  ['a name with backslashes', { members: [{ name: '..\\shadow' }] }, 'ARCHIVE_UNSUPPORTED', /leads out/],
  ['an absolute name', { members: [{ name: '/etc/shadow' }] }, 'ARCHIVE_UNSUPPORTED', /leads out/],
  ['a drive', { members: [{ name: 'c:shadow' }] }, 'ARCHIVE_UNSUPPORTED', /leads out/],
  ['a name with NUL', { members: [{ name: 'a\0b' }] }, 'ARCHIVE_UNSUPPORTED', /leads out/],
  ['no name', { members: [{ name: '' }] }, 'ARCHIVE_UNSUPPORTED', /leads out/],
  ['a link', { members: [{ unixMode: 0o120777 }] }, 'ARCHIVE_UNSUPPORTED', /no regular file/],
  ['a device', { members: [{ unixMode: 0o060600 }] }, 'ARCHIVE_UNSUPPORTED', /no regular file/],
  [
    'a directory with content',
    { members: [{ ...directory, content: Buffer.from('x') }, {}] },
    'ARCHIVE_BROKEN',
    /wrong/,
  ],
  ['a wrong checksum', { members: [{ crc: 1 }] }, 'ARCHIVE_BROKEN', /checksum/],
  ['a wrong checksum of a stored member', { members: [{ method: 0, crc: 1 }] }, 'ARCHIVE_BROKEN', /checksum/],
  [
    'a wrong checksum in the descriptor',
    { members: [{ descriptor: 'narrow', crc: 1 }] },
    'ARCHIVE_BROKEN',
    /checksum/,
  ],
  ['a size that is too small', { members: [{ plainBytes: 10 }] }, 'ARCHIVE_BROKEN', /size/],
  ['a size that is too large', { members: [{ plainBytes: 10_000_000 }] }, 'ARCHIVE_BROKEN', /size/],
  ['a packed size that is wrong', { members: [{ packedBytes: 50 }] }, 'ARCHIVE_BROKEN', /size/],
  [
    'a size in the descriptor that is wrong',
    { members: [{ descriptor: 'wide', plainBytes: 7 }] },
    'ARCHIVE_BROKEN',
    /size/,
  ],
  ['an impossible size', { members: [{ zip64: true, plainBytes: 2 ** 60 }] }, 'ARCHIVE_BROKEN', /size/],
  [
    'corrupt deflate data',
    { members: [{ packed: Buffer.from('ffffffff', 'hex') }] },
    'ARCHIVE_BROKEN',
    /zip/,
  ],
  [
    'a directory that has another checksum',
    { members: [{ central: { crc: 1 } }] },
    'ARCHIVE_BROKEN',
    /directory/,
  ],
  [
    'a directory that has another size',
    { members: [{ central: { plainBytes: 1 } }] },
    'ARCHIVE_BROKEN',
    /directory/,
  ],
  [
    'a directory that has another name',
    { members: [{ central: { name: 'other.raw' } }] },
    'ARCHIVE_BROKEN',
    /directory/,
  ],
  [
    'a directory that has another method',
    { members: [{ central: { method: 0 } }] },
    'ARCHIVE_BROKEN',
    /directory/,
  ],
  [
    'a directory that leads elsewhere',
    { members: [{ central: { offset: 5 } }] },
    'ARCHIVE_BROKEN',
    /directory/,
  ],
  [
    'a directory without the member',
    { members: [directory, {}], omitEntries: 1 },
    'ARCHIVE_BROKEN',
    /directory/,
  ],
  ['a wrong number of entries', { end: { entries: 2 } }, 'ARCHIVE_BROKEN', /directory/],
  ['a directory said to be elsewhere', { end: { start: 0 } }, 'ARCHIVE_BROKEN', /directory/],
  ['a directory said to be longer', { end: { bytes: 1 } }, 'ARCHIVE_BROKEN', /directory/],
  [
    'a zip64 end that counts differently',
    { zip64End: true, zip64: { entries: 2 } },
    'ARCHIVE_BROKEN',
    /directory/,
  ],
  [
    'a zip64 locator that leads elsewhere',
    { zip64End: true, zip64: { locator: 0 } },
    'ARCHIVE_BROKEN',
    /directory/,
  ],
  [
    'a record nobody knows before the end',
    { beforeEnd: Buffer.from('PK\x05\x05\0\0', 'latin1') },
    'ARCHIVE_UNSUPPORTED',
    /unknown record/,
  ],
  ['something behind the end', { after: Buffer.from('x') }, 'ARCHIVE_BROKEN', /after the end/],
  ['a second archive behind the end', { after: zipFile() }, 'ARCHIVE_BROKEN', /after the end/],
];
for (const [what, shape, code, message] of wrong) {
  test(`a zip file with ${what} is refused`, async () => {
    await assert.rejects(decodeAll(unpackZip, zipFile(shape)), faultOf(code, message));
    await assert.rejects(decodeAll(unpackZip, zipFile(shape), 11), faultOf(code, message));
  });
}

test('a zip file that is cut off anywhere is broken, and its beginning gives what it holds', async () => {
  const content = randomBytes(150);
  for (const member of [{}, { method: 0 }, { descriptor: 'narrow' }] satisfies ZipMember[]) {
    const file = zipFile({ members: [{ ...member, content }], comment: 'a comment' });
    for (let length = 0; length < file.length; length++) {
      const cut = file.subarray(0, length);
      await assert.rejects(decodeAll(unpackZip, cut, 300), faultOf('ARCHIVE_BROKEN'), `${length}`);
      const first = await decodeAll(unpackZip, cut, 300, { signal, partial: true });
      assert.ok(first.equals(content.subarray(0, first.length)), `${length}`);
      if (length > 250) assert.ok(first.length > 50, `${length}`);
    }
  }
});

test('every bit of a zip file that is flipped is noticed, or is one that says nothing of the content', async () => {
  const content = Buffer.from('some content');
  const file = zipFile({ members: [{ content, method: 0, name: 'a' }] });
  for (let bit = 0; bit < file.length * 8; bit++) {
    const flipped = Buffer.from(file);
    flipped[bit >> 3]! ^= 1 << (bit & 7);
    try {
      assert.ok((await decodeAll(unpackZip, flipped)).equals(content), `bit ${bit}`);
    } catch (error) {
      assert.ok(error instanceof FetchFault, String(error));
    }
  }
});

test('an error of the input comes out as it went in, also in the middle of a record', async () => {
  const file = zipFile();
  const broken = new FetchFault('CONNECTION_RESET', 'midway');
  for (const length of [2, 20, 35, 60, file.length - 30, file.length]) {
    const input = inPieces(file.subarray(0, length), 50, broken);
    await assert.rejects(collect(unpackZip(input, { signal })), broken, `${length}`);
  }
});

test('a consumer that leaves early is not kept waiting by an input that hangs', async () => {
  const file = zipFile({ members: [{ content: randomBytes(600_000) }] });
  async function* hanging() {
    yield file.subarray(0, 500_000);
    await new Promise(() => {});
  }
  for await (const chunk of unpackZip(hanging(), { signal, partial: true })) {
    assert.ok(chunk.length > 0);
    break;
  }
});
