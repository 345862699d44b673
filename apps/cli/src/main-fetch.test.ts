import assert from 'node:assert/strict';
import { createHash, randomBytes } from 'node:crypto';
import { readdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { gzipSync } from 'node:zlib';
import { startBadWebServer } from '../../../test/servers/bad-web-server.ts';
import { makeHome } from './testing/run-main.ts';

const image = randomBytes(1024 * 1024);
const packed = gzipSync(image);
const sha256 = (bytes: Uint8Array) => createHash('sha256').update(bytes).digest('hex');

/** A directory to fetch into, with the program beside it. */
async function makePlace() {
  const home = await makeHome('http://127.0.0.1:1/client/api');
  return { ...home, names: async () => (await readdir(home.path)).filter((name) => name !== 'config.json') };
}

function metalink(urls: readonly string[]): Buffer {
  const list = urls.map((url, index) => `<url priority="${index + 1}" location="x${index + 1}">${url}</url>`);
  return Buffer.from(
    `<?xml version="1.0"?><metalink xmlns="urn:ietf:params:xml:ns:metalink"><file name="a.raw.gz">` +
      `<size>${packed.length}</size><hash type="sha-256">${sha256(packed)}</hash>${list.join('')}</file></metalink>`,
  );
}

test('an image is fetched past a dead mirror, verified, unpacked and put under its plain name', async () => {
  await using server = await startBadWebServer({ files: { 'a.raw.gz': packed } });
  server.setFile('a.raw.gz.meta4', metalink([server.url('404', 'a.raw.gz'), server.url('ok', 'a.raw.gz')]));
  await using place = await makePlace();
  const { code, stdout, stderr } = await place.run([
    'fetch',
    server.url('ok', 'a.raw.gz.meta4'),
    '--to',
    place.path,
  ]);
  assert.equal(code, 0, stderr);
  assert.equal(stdout.split('\n')[0], join(place.path, 'a.raw'));
  assert.match(stdout, /\n {2}raw · virtual size 1\.0 MB · file 1\.0 MB · transferred 1\.0 MB of gzip\n/);
  assert(stdout.includes(`{SHA-256}${sha256(packed)}`));
  assert.match(stderr, /✗ mirror 1 http:\S+\/404\/a\.raw\.gz \(x1\).*HTTP_NOT_FOUND\), then next source\n/);
  assert.match(stderr, /^transferring/m);
  assert.deepEqual(await place.names(), ['a.raw']);
  assert.deepEqual(await readFile(join(place.path, 'a.raw')), image);
});

test('the location that was asked for is tried first, headers are sent, and the result can be JSON', async () => {
  await using server = await startBadWebServer({ files: { 'a.raw.gz': packed } });
  server.setFile('m.meta4', metalink([server.url('404', 'a.raw.gz'), server.url('ok', 'a.raw.gz')]));
  await using place = await makePlace();
  await writeFile(join(place.path, 'headers.txt'), 'X-Token: from a file\n');
  const { code, stdout, stderr } = await place.run([
    ...['fetch', server.url('ok', 'm.meta4'), '--to', place.path, '--name', 'b', '--location', 'x2'],
    ...['--header', 'X-Plain: typed', '--header', `@${join(place.path, 'headers.txt')}`, '--json', '-q'],
  ]);
  assert.deepEqual([code, stderr], [0, '']);
  const result = JSON.parse(stdout);
  assert.deepEqual(
    [result.path, result.format, result.sizeBytes, result.compression, result.attempts.length],
    [join(place.path, 'b'), 'raw', image.length, 'gzip', 1],
  );
  assert.deepEqual(
    server.requests().map(({ path, headers }) => [path, headers['x-plain'], headers['x-token']]),
    ['m.meta4', 'a.raw.gz', 'a.raw.gz'].map((name) => [`/ok/${name}`, 'typed', 'from a file']),
  );
});

test('a file that is there is not replaced unless forced: exit status 6', async () => {
  await using server = await startBadWebServer({ files: { 'a.raw': image } });
  await using place = await makePlace();
  await writeFile(join(place.path, 'a.raw'), 'precious');
  const argv = ['fetch', server.url('ok', 'a.raw'), '--to', place.path];
  const refused = await place.run(argv);
  assert.equal(refused.code, 6);
  assert.match(refused.stderr, /a\.raw is there already\. Replace it with --force/);
  assert.equal(server.requests().length, 0);
  assert.equal(await readFile(join(place.path, 'a.raw'), 'utf8'), 'precious');
  assert.equal((await place.run([...argv, '--force'])).code, 0);
  assert.deepEqual(await readFile(join(place.path, 'a.raw')), image);
});

const wrong = `{SHA-256}${'0'.repeat(64)}`;

for (const [what, path, options, code, pattern] of [
  [
    'a wrong checksum',
    ['ok', 'a.raw'],
    ['--checksum', wrong],
    5,
    /checksum attempt 3 .*DIGEST_MISMATCH\)\n.* was not fetched: .*\(DIGEST_MISMATCH\)\nNext: compare the checksum/,
  ],
  [
    'another format than asked for',
    ['ok', 'a.raw'],
    ['--format', 'qcow2'],
    5,
    /was not fetched: [^\n]*\(IMAGE_FORMAT_MISMATCH\)\nNext: [^\n]*\n$/,
  ],
  ['a refused address', ['ok', 'a.raw'], ['--egress-policy'], 5, /\(EGRESS_REFUSED\)\nNext: [^\n]*\n$/],
  ['a missing file', ['404', 'a.raw'], [], 3, /✗ mirror 1 .*HTTP_NOT_FOUND/],
  [
    'a directory that is not there',
    ['ok', 'a.raw'],
    ['--to', '/nonexistent'],
    6,
    /Make it: mkdir -p \/nonexistent\n$/,
  ],
  [
    'a header that cannot be set',
    ['ok', 'a.raw'],
    ['--header', 'Host: x'],
    2,
    /the header Host cannot be set/,
  ],
] as const) {
  test(`${what}: exit status ${code}, the reason is told and nothing is left behind`, async () => {
    await using server = await startBadWebServer({ files: { 'a.raw': image } });
    await using place = await makePlace();
    const url = `${server.url(path[0], path[1])}?token=hidden`;
    const outcome = await place.run(['fetch', url, '--to', place.path, ...options]);
    assert.equal(outcome.code, code, outcome.stderr);
    assert.match(outcome.stderr, pattern);
    assert.doesNotMatch(outcome.stderr + outcome.stdout, /hidden/);
    assert.deepEqual(await place.names(), []);
  });
}

test('a failure in JSON names the code and has the attempts', async () => {
  await using server = await startBadWebServer({ files: { 'a.raw': image } });
  await using place = await makePlace();
  const { code, stdout } = await place.run([
    'fetch',
    server.url('404', 'a.raw'),
    '--to',
    place.path,
    '--json',
  ]);
  assert.equal(code, 3);
  const { error, attempts } = JSON.parse(stdout);
  assert.deepEqual([error.code, attempts[0].reason], [attempts[0].reason, 'HTTP_NOT_FOUND']);
});

test('Ctrl-C in the middle of a transfer keeps what was fetched, and the same command goes on from there', async () => {
  await using server = await startBadWebServer({ files: { 'a.raw': image } });
  await using place = await makePlace();
  const argv = ['fetch', server.url('stall-once-at-50', 'a.raw'), '--to', place.path];
  const first = await place.run(argv, { interruptAfter: 'transferring' });
  assert.equal(first.code, 130);
  assert.match(
    first.stderr,
    /Interrupted\. [\d.]+ kB are kept, hidden, in \S+: the same command goes on from there\.\n$/,
  );
  assert.deepEqual(
    (await place.names()).map((name) => name.startsWith('.millrace-partial-a.raw')),
    [true, true],
  );
  const second = await place.run(argv);
  assert.equal(second.code, 0, second.stderr);
  assert.match(second.stdout, /went on after [\d.]+ kB/);
  assert.deepEqual(await place.names(), ['a.raw']);
  assert.deepEqual(await readFile(join(place.path, 'a.raw')), image);
});

test('Ctrl-C leaves nothing behind where nothing is to be kept: exit status 130', async () => {
  await using server = await startBadWebServer({ files: { 'a.raw': image } });
  await using place = await makePlace();
  const { code, stderr } = await place.run(
    ['fetch', server.url('stall-at-50', 'a.raw'), '--to', place.path, '--no-resume'],
    { interruptAfter: 'transferring' },
  );
  assert.equal(code, 130);
  assert.match(stderr, /Interrupted\. Nothing was left behind\.\n$/);
  assert.deepEqual(await place.names(), []);
});

test('--no-resume uses nothing of what an interrupted fetch has left', async () => {
  await using server = await startBadWebServer({ files: { 'a.raw': image } });
  await using place = await makePlace();
  const argv = ['fetch', server.url('stall-once-at-50', 'a.raw'), '--to', place.path];
  const first = await place.run(argv, { interruptAfter: 'transferring' });
  assert.match(first.stderr, /are kept/);
  const second = await place.run([...argv, '--no-resume']);
  assert.equal(second.code, 0, second.stderr);
  assert.doesNotMatch(second.stdout, /went on/);
  assert.deepEqual(await place.names(), ['a.raw']);
});

test('a checksum is taken from a list, and how it is trusted is said', async () => {
  await using server = await startBadWebServer({ files: { 'a.raw': image } });
  server.setFile('SUMS', Buffer.from(`${sha256(image)}  a.raw\n${'0'.repeat(64)}  b.raw\n`));
  await using place = await makePlace();
  const url = server.url('ok', 'a.raw');
  const outcome = await place.run(['fetch', url, '--to', place.path, '--checksum', server.url('ok', 'SUMS')]);
  assert.equal(outcome.code, 0, outcome.stderr);
  assert.match(outcome.stderr, new RegExp(`^\\{SHA-256\\}${sha256(image)}: .*http`));
  assert.match(outcome.stdout, /, as expected\n/);
  server.setFile('SUMS', Buffer.from(`${'0'.repeat(64)}  b.raw\n`));
  const missing = await place.run([
    ...['fetch', url, '--to', place.path, '--name', 'c'],
    ...['--checksum-url', server.url('ok', 'SUMS')],
  ]);
  assert.equal(missing.code, 3, missing.stderr);
  assert.match(missing.stderr, /a\.raw.*\(CHECKSUM_LIST_UNUSABLE\)\nNext: /s);
});

test('wrong usage is told with a pointer to the help: exit status 2', async () => {
  await using place = await makePlace();
  const { code, stderr } = await place.run(['fetch', 'http://m/a.raw']);
  assert.deepEqual([code, stderr], [2, 'Where to? Give --to DIR.\nHelp: millrace fetch --help\n']);
});
