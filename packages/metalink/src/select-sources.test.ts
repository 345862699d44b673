import assert from 'node:assert/strict';
import { test } from 'node:test';
import { MillraceError } from '@millrace/core';
import fc from 'fast-check';
import {
  type MetalinkDocument,
  type MetalinkSource,
  type PieceDigests,
  type SelectedSource,
  selectSources,
} from './index.ts';

function documentOf(...sources: MetalinkSource[]): MetalinkDocument {
  return { version: 4, files: [{ name: 'x', digests: [], pieces: [], sources }], warnings: [] };
}

function urls(
  document: MetalinkDocument,
  sourceOrder: 'priority' | 'location',
  location: string[] = [],
): string[] {
  return selectSources(document, { location, sourceOrder }).sources.map((source) => source.url);
}

test('priority 1 is best, a missing priority is worst, equal ones stay as listed', () => {
  const document = documentOf(
    { url: 'http://none/' },
    { url: 'http://p2/', priority: 2 },
    { url: 'http://p1a/', priority: 1 },
    { url: 'http://p1b/', priority: 1 },
    { url: 'http://last/', priority: 999_999 },
  );
  assert.deepEqual(urls(document, 'priority'), [
    'http://p1a/',
    'http://p1b/',
    'http://p2/',
    'http://last/',
    'http://none/',
  ]);
});

test('preference 100 is best, 0 is still better than none', () => {
  const document = documentOf(
    { url: 'http://none/' },
    { url: 'http://v0/', preference: 0 },
    { url: 'http://v10/', preference: 10 },
    { url: 'http://v100/', preference: 100 },
  );
  assert.deepEqual(urls(document, 'priority'), ['http://v100/', 'http://v10/', 'http://v0/', 'http://none/']);
});

test('among equal priorities the nearest location comes first, label by label', () => {
  const document = documentOf(
    { url: 'http://far/', priority: 1, location: 'us' },
    { url: 'http://zone/', priority: 1, location: 'zone-1' },
    { url: 'http://unlabelled/', priority: 1 },
    { url: 'http://cluster/', priority: 1, location: 'cluster-7' },
    { url: 'http://worse/', priority: 2, location: 'cluster-7' },
  );
  const labels = ['host-3', 'Cluster-7', 'zone-1'];
  assert.deepEqual(urls(document, 'priority', labels), [
    'http://cluster/',
    'http://zone/',
    'http://far/',
    'http://unlabelled/',
    'http://worse/',
  ]);
  assert.equal(urls(document, 'location', labels)[1], 'http://worse/');
});

test('sources of other schemes are dropped with a warning, duplicates silently', () => {
  const selection = selectSources(
    documentOf(
      { url: 'ftp://user:secret@m/x' },
      { url: 'file:///etc/passwd' },
      { url: 'http://m/x' },
      { url: 'http://m/x', priority: 1 },
    ),
    { location: [], sourceOrder: 'priority' },
  );
  assert.deepEqual(selection.sources, [{ url: 'http://m/x', rank: 1 }]);
  assert.equal(selection.warnings.filter((warning) => warning.startsWith('url ignored')).length, 2);
  assert.ok(!selection.warnings.join().includes('secret'));
});

test('a metalink without a usable source is a clear error', () => {
  for (const document of [documentOf(), documentOf({ url: 'ftp://m/x' })]) {
    assert.throws(
      () => urls(document, 'priority'),
      (error) => error instanceof MillraceError && error.code === 'METALINK_NO_SOURCE',
    );
  }
});

test('of several files the one whose name fits is taken, and otherwise the error names them', () => {
  const file = (name: string) => ({ name, digests: [], pieces: [], sources: [{ url: `http://m/${name}` }] });
  const document: MetalinkDocument = {
    version: 4,
    files: [file('dir/a.qcow2'), file('b.qcow2')],
    warnings: [],
  };
  const options = { location: [], sourceOrder: 'priority' } as const;
  assert.equal(selectSources(document, { ...options, wantedName: 'A.qcow2' }).fileName, 'dir/a.qcow2');
  for (const wantedName of [undefined, 'c.qcow2']) {
    assert.throws(
      () => selectSources(document, { ...options, ...(wantedName ? { wantedName } : {}) }),
      (error) =>
        error instanceof MillraceError &&
        error.code === 'METALINK_AMBIGUOUS' &&
        /b\.qcow2/.test(error.message),
    );
  }
});

test('nfs and s3 are sources like http, as long as they say where', () => {
  const selection = selectSources(
    documentOf(
      { url: 'nfs://server/export/x' },
      { url: 's3://bucket/x' },
      { url: 'nfs:///x' },
      { url: 's3:/x' },
    ),
    { location: [], sourceOrder: 'priority' },
  );
  assert.deepEqual(
    selection.sources.map(({ url }) => url),
    ['nfs://server/export/x', 's3://bucket/x'],
  );
  assert.match(selection.warnings.join(), /no host.*no bucket/s);
});

test('a URL whose type says that it leads to a torrent is no source of the file', () => {
  const document = documentOf(
    { url: 'http://m/x.torrent', type: 'bittorrent' },
    { url: 'http://m/x', type: 'http' },
  );
  assert.deepEqual(urls(document, 'priority'), ['http://m/x']);
});

test('sources that nobody prefers over each other share a rank, in either order', () => {
  const document = documentOf(
    { url: 'http://a/', priority: 1, location: 'fr' },
    { url: 'http://b/', priority: 1 },
    { url: 'http://c/', priority: 1, location: 'de' },
    { url: 'http://d/', priority: 2, location: 'de' },
    { url: 'http://e/' },
    { url: 'http://f/' },
  );
  const ranks = (sourceOrder: 'priority' | 'location') =>
    selectSources(document, { location: ['de'], sourceOrder }).sources.map(
      ({ url, rank }) => `${url[7]}${rank}`,
    );
  assert.deepEqual(ranks('priority'), ['c1', 'a2', 'b2', 'd3', 'e4', 'f4']);
  assert.deepEqual(ranks('location'), ['c1', 'd2', 'a3', 'b3', 'e4', 'f4']);
});

test('a full name decides before a last part of a path, and a file that was asked for must be there', () => {
  const file = (name: string) => ({ name, digests: [], pieces: [], sources: [{ url: `http://m/${name}` }] });
  const document = (...names: string[]): MetalinkDocument => ({
    version: 4,
    files: names.map(file),
    warnings: [],
  });
  const options = { location: [], sourceOrder: 'priority' } as const;
  const two = document('old/a.qcow2', 'a.qcow2');
  assert.equal(selectSources(two, { ...options, wantedName: 'a.qcow2' }).fileName, 'a.qcow2');
  assert.equal(
    selectSources(two, { ...options, wantedFile: 'old/a.qcow2', wantedName: 'a.qcow2' }).fileName,
    'old/a.qcow2',
  );
  const one = document('a.qcow2');
  assert.equal(selectSources(one, { ...options, wantedName: 'download' }).fileName, 'a.qcow2');
  const refused: [MetalinkDocument, { wantedFile?: string; wantedName?: string }, string][] = [
    [one, { wantedFile: 'b.qcow2' }, 'METALINK_FILE_MISSING'],
    [two, { wantedFile: 'b.qcow2', wantedName: 'a.qcow2' }, 'METALINK_FILE_MISSING'],
    [two, { wantedFile: 'A.QCOW2' }, 'METALINK_AMBIGUOUS'],
    [two, { wantedName: '' }, 'METALINK_AMBIGUOUS'],
  ];
  for (const [among, wanted, code] of refused) {
    assert.throws(
      () => selectSources(among, { ...options, ...wanted }),
      (error) => error instanceof MillraceError && error.code === code && /a\.qcow2/.test(error.message),
      JSON.stringify(wanted),
    );
  }
});

test('pieces count only when there are as many as the size asks for, and the strongest are taken', () => {
  const list = (algorithm: PieceDigests['algorithm'], count: number): PieceDigests => ({
    algorithm,
    lengthBytes: 10,
    hexDigests: new Array<string>(count).fill('0'),
  });
  const select = (sizeBytes: number | undefined, ...pieces: PieceDigests[]) =>
    selectSources(
      {
        version: 4,
        files: [
          {
            name: 'x',
            digests: [],
            pieces,
            sources: [{ url: 'http://m/' }],
            ...(sizeBytes === undefined ? {} : { sizeBytes }),
          },
        ],
        warnings: [],
      },
      { location: [], sourceOrder: 'priority' },
    );
  const sha1 = list('SHA-1', 3);
  const sha256 = list('SHA-256', 3);
  for (const sizeBytes of [21, 30]) assert.equal(select(sizeBytes, sha1, sha256).pieces, sha256);
  for (const sizeBytes of [0, 20, 31]) {
    const selection = select(sizeBytes, sha256);
    assert.equal(selection.pieces, undefined);
    assert.match(selection.warnings.join(), /pieces ignored: 3 of 10 bytes/);
  }
  assert.match(select(undefined, sha256).warnings.join(), /without a size/);
  const weak = select(30, sha1, list('SHA-256', 2));
  assert.equal(weak.pieces, sha1);
  assert.match(weak.warnings.join(), /pieces have no digest stronger than SHA-1/);
});

test('the strongest digest is chosen, weak or missing ones are warned about', () => {
  const md5 = { algorithm: 'MD5', hex: '0'.repeat(32) } as const;
  const sha512 = { algorithm: 'SHA-512', hex: '1'.repeat(128) } as const;
  const select = (digests: MetalinkDocument['files'][0]['digests']) =>
    selectSources(
      {
        version: 4,
        files: [{ name: 'x', digests, pieces: [], sources: [{ url: 'http://m/' }] }],
        warnings: [],
      },
      { location: [], sourceOrder: 'priority' },
    );
  assert.deepEqual(select([md5, sha512]).strongestDigest, sha512);
  assert.deepEqual(select([md5, sha512]).warnings, []);
  assert.match(select([md5]).warnings.join(), /no digest stronger than MD5/);
  assert.match(select([]).warnings.join(), /cannot be verified/);
});

test('the order is a permutation that never puts a worse priority before a better one', () => {
  const source = fc.record(
    {
      url: fc.nat({ max: 10_000 }).map((n) => `http://m/${n}`),
      priority: fc.integer({ min: 1, max: 5 }),
      location: fc.constantFrom('a', 'b', 'c'),
    },
    { requiredKeys: ['url'] },
  );
  fc.assert(
    fc.property(fc.uniqueArray(source, { selector: (s) => s.url, minLength: 1 }), (sources) => {
      const ordered = selectSources(documentOf(...sources), {
        location: ['b', 'a'],
        sourceOrder: 'priority',
      }).sources;
      assert.deepEqual(new Set(ordered.map((s) => s.url)), new Set(sources.map((s) => s.url)));
      const priorities = ordered.map((s) => s.priority ?? 1e9);
      assert.deepEqual(
        priorities,
        priorities.toSorted((a, b) => a - b),
      );
      const place = (s: SelectedSource) => `${s.priority} ${s.location === 'c' ? undefined : s.location}`;
      for (const [index, one] of ordered.entries()) {
        const before = ordered[index - 1];
        const step = before && place(before) === place(one) ? 0 : 1;
        assert.equal(one.rank, (before?.rank ?? 0) + step);
      }
    }),
  );
});
