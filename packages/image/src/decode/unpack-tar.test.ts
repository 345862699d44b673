import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { test } from 'node:test';
import { gzipSync } from 'node:zlib';
import { type FetchErrorCode, FetchFault } from '../errors.ts';
import { collect, decodeAll, faultOf, inPieces } from '../testing/decode.ts';
import { paxHeader, tarContent, tarFile, tarMember } from '../testing/tar-fixture.ts';
import { zipFile } from '../testing/zip-fixture.ts';
import { detectCompression } from './compression.ts';
import { archiveStageFor, decodeLayers } from './decoder.ts';
import { unpackTar } from './unpack-tar.ts';

const { signal } = new AbortController();
const text = (name: string) => ({ name, content: Buffer.from('some text') });
const directory = { name: 'images/', content: Buffer.alloc(0), type: '5' };
const zeros = (length: number) => Buffer.alloc(length);
const base256 = (size: number) => {
  const field = Buffer.alloc(12);
  field[0] = 0x80;
  field.writeUInt32BE(size, 8);
  return field;
};
const wholePax = (records: Record<string, string>, type?: string) =>
  Buffer.concat([paxHeader(records, type), tarFile()]);

test('the disk is found among what accompanies it, however the file is cut into pieces', async () => {
  const files: readonly (readonly [string, Buffer])[] = [
    ['alone', tarFile()],
    ['an OVA', tarFile([text('a.ovf'), text('a.mf'), { name: 'a-disk1.vmdk' }, text('a.cert')])],
    ['a nameless suffix', tarFile([text('README'), { name: 'images/noble' }, text('SHA256SUMS')])],
    ['directories and empty files', tarFile([directory, { name: '.keep', content: zeros(0) }, {}])],
    ['what macOS adds', tarFile([text('._disk.raw'), { name: 'disk.raw' }])],
    ['padding to a record', tarFile([{}], zeros(10_240))],
    ['an old GNU header', tarFile([{ magic: 'ustar  \0' }])],
    ['a prefix', tarFile([{ prefix: 'some/where', name: 'disk.raw' }])],
    ['a binary size', tarFile([{ size: base256(tarContent.length) }])],
    ['a size with spaces', tarFile([{ size: ` ${tarContent.length.toString(8)} ` }])],
    [
      'a GNU long name',
      Buffer.concat([tarMember({ type: 'L', content: Buffer.from(`${'d'.repeat(200)}\0`) }), tarFile()]),
    ],
    ['an extended header', wholePax({ path: 'ü.raw', mtime: '1.5', size: `${tarContent.length}` })],
    ['a global header', wholePax({ comment: 'a commit' }, 'g')],
  ];
  for (const [what, file] of files) {
    assert.equal(detectCompression(file), 'tar', what);
    for (const pieceBytes of [file.length, 700, 64]) {
      assert.ok((await decodeAll(unpackTar, file, pieceBytes)).equals(tarContent), `${what}, ${pieceBytes}`);
    }
  }
});

test('an extended header may give the size that does not fit into the old field', async () => {
  const member = tarMember({ size: '00000000000\0' });
  const file = Buffer.concat([paxHeader({ size: `${tarContent.length}` }), member, zeros(1024)]);
  assert.ok((await decodeAll(unpackTar, file)).equals(tarContent));
});

const wrong: readonly (readonly [string, Buffer, FetchErrorCode, RegExp])[] = [
  [
    'two disks',
    tarFile([{ name: 'a.vmdk' }, { name: 'b.vmdk' }]),
    'ARCHIVE_UNSUPPORTED',
    /"a.vmdk" and "b.vmdk"/,
  ],
  ['no disk', tarFile([text('a.ovf')]), 'ARCHIVE_UNSUPPORTED', /no disk/],
  ['nothing', tarFile([directory]), 'ARCHIVE_UNSUPPORTED', /no disk/],
  ['a hard link', tarFile([{ type: '1' }]), 'ARCHIVE_UNSUPPORTED', /link/],
  ['a symbolic link', tarFile([{}, { type: '2', content: zeros(0) }]), 'ARCHIVE_UNSUPPORTED', /link/],
  ['a device', tarFile([{ type: '4' }]), 'ARCHIVE_UNSUPPORTED', /device/],
  ['a pipe', tarFile([{ type: '6' }]), 'ARCHIVE_UNSUPPORTED', /pipe/],
  ['a GNU sparse file', tarFile([{ type: 'S' }]), 'ARCHIVE_UNSUPPORTED', /sparse/],
  ['a pax sparse file', wholePax({ 'GNU.sparse.major': '1' }), 'ARCHIVE_UNSUPPORTED', /sparse/],
  ['an unknown type', tarFile([{ type: '\x07' }]), 'ARCHIVE_UNSUPPORTED', /unknown type/],
  ['a global size', wholePax({ size: '1' }, 'g'), 'ARCHIVE_UNSUPPORTED', /every size/],
  ['a name that climbs', tarFile([{ name: '../../etc/shadow' }]), 'ARCHIVE_UNSUPPORTED', /leads out/],
  ['an extended name that climbs', wholePax({ path: 'a/../../b' }), 'ARCHIVE_UNSUPPORTED', /leads out/],
  ['an absolute name', tarFile([text('/etc/a.ovf'), {}]), 'ARCHIVE_UNSUPPORTED', /leads out/],
  [
    'an endless name',
    tarFile([{ type: 'L', size: '77777777777\0' }]),
    'ARCHIVE_UNSUPPORTED',
    /extended header of/,
  ],
  [
    'an endless extended header',
    tarFile([{ type: 'x', size: '77777777777\0' }]),
    'ARCHIVE_UNSUPPORTED',
    /extended header of/,
  ],
  [
    'headers without end',
    Buffer.concat([...Array<Buffer>(9).fill(paxHeader({ a: 'b' })), tarFile()]),
    'ARCHIVE_BROKEN',
    /in a row/,
  ],
  ['too many members', tarFile([...Array(1001).fill(directory), {}]), 'ARCHIVE_UNSUPPORTED', /1000 members/],
  [
    'an extended header at the end',
    Buffer.concat([paxHeader({ a: 'b' }), zeros(1024)]),
    'ARCHIVE_BROKEN',
    /without a member/,
  ],
  [
    'records of no length',
    Buffer.concat([tarMember({ type: 'x', content: Buffer.from('0 a=b\n') }), tarFile()]),
    'ARCHIVE_BROKEN',
    /cannot be read/,
  ],
  [
    'records that end outside',
    Buffer.concat([tarMember({ type: 'x', content: Buffer.from('99 a=b\n') }), tarFile()]),
    'ARCHIVE_BROKEN',
    /cannot be read/,
  ],
  ['an extended size that is no number', wholePax({ size: '-5' }), 'ARCHIVE_BROKEN', /no number/],
  ['a size that is no number', tarFile([{ size: 'abc' }]), 'ARCHIVE_BROKEN', /no number/],
  ['a negative size', tarFile([{ size: Buffer.alloc(12, 0xff) }]), 'ARCHIVE_BROKEN', /no file/],
  ['a directory with a size', tarFile([{ type: '5' }]), 'ARCHIVE_BROKEN', /directory/],
  [
    'a wrong checksum',
    tarFile([text('a.ovf'), { checksum: '000001\0 ' }]),
    'ARCHIVE_BROKEN',
    /header expected/,
  ],
  ['garbage instead of a header', tarFile([{}], randomBytes(1024)), 'ARCHIVE_BROKEN', /header expected/],
  ['one block of zeros', tarFile([{}], zeros(512)), 'ARCHIVE_BROKEN', /too early/],
  ['no end', tarFile([{}], zeros(0)), 'ARCHIVE_BROKEN', /too early/],
  [
    'one block of zeros, then more',
    tarFile([{}], Buffer.concat([zeros(512), tarFile()])),
    'ARCHIVE_BROKEN',
    /after its end/,
  ],
  [
    'bytes after the end',
    tarFile([{}], Buffer.concat([zeros(9000), Buffer.from('x')])),
    'ARCHIVE_BROKEN',
    /after the end/,
  ],
];
for (const [what, file, code, message] of wrong) {
  test(`a tar file with ${what} is refused`, async () => {
    await assert.rejects(decodeAll(unpackTar, file), faultOf(code, message));
    await assert.rejects(decodeAll(unpackTar, file, 511), faultOf(code, message));
  });
}

test('a tar file that is cut off anywhere is broken, and its beginning gives what it holds', async () => {
  const file = tarFile([text('a.ovf'), { content: tarContent.subarray(0, 700) }, text('a.mf')]);
  for (let length = 0; length < file.length; length += 13) {
    const cut = file.subarray(0, length);
    await assert.rejects(decodeAll(unpackTar, cut), faultOf('ARCHIVE_BROKEN'), `${length}`);
    const first = await decodeAll(unpackTar, cut, 512, { signal, partial: true });
    assert.ok(first.equals(tarContent.subarray(0, first.length)) && first.length <= 700, `${length}`);
  }
});

test('an error of the input comes out as it went in', async () => {
  const broken = new FetchFault('CONNECTION_RESET', 'midway');
  for (const length of [100, 512, 1000, tarFile().length]) {
    const input = inPieces(tarFile().subarray(0, length), 50, broken);
    await assert.rejects(collect(unpackTar(input, { signal })), broken, `${length}`);
  }
});

test('an archive that was compressed is unpacked after the compression, and nothing else is', async () => {
  const plain = randomBytes(3000);
  const ova = tarFile([text('a.ovf'), { name: 'a.vmdk' }]);
  assert.ok(
    (await collect(decodeLayers('gzip', inPieces(gzipSync(ova), 100), { signal }))).equals(tarContent),
  );
  const zipped = zipFile({ members: [{ name: 'a.ova', content: ova }] });
  assert.ok((await collect(decodeLayers('zip', inPieces(zipped, 100), { signal }))).equals(tarContent));
  assert.ok((await collect(decodeLayers('tar', inPieces(tarFile(), 100), { signal }))).equals(tarContent));
  assert.ok((await collect(decodeLayers('gzip', inPieces(gzipSync(plain), 100), { signal }))).equals(plain));
  assert.ok((await collect(decodeLayers('none', inPieces(plain, 100), { signal }))).equals(plain));
  // two layers at most: what is left packed is for inspection to refuse
  const thrice = gzipSync(tarFile([{ name: 'a.zip', content: zipped }]));
  assert.ok((await collect(decodeLayers('gzip', inPieces(thrice, 100), { signal }))).equals(zipped));
  await assert.rejects(
    collect(decodeLayers('gzip', inPieces(gzipSync(ova.subarray(0, -600)), 100), { signal })),
    faultOf('ARCHIVE_BROKEN', /too early/),
  );
});

test('only archives have an archive stage', () => {
  assert.equal(archiveStageFor(tarFile()), unpackTar);
  assert.equal(archiveStageFor(gzipSync('x')), undefined);
  assert.equal(archiveStageFor(Buffer.alloc(512)), undefined);
  const almost = tarFile();
  almost[0]! ^= 1;
  assert.equal(archiveStageFor(almost), undefined);
  assert.equal(archiveStageFor(tarFile().subarray(0, 511)), undefined);
});
