import assert from 'node:assert/strict';
import { test } from 'node:test';
import { MillraceError } from '@millrace/core';
import fc from 'fast-check';
import { type MetalinkDocument, type MetalinkSource, selectSources } from './index.ts';

function documentOf(...sources: MetalinkSource[]): MetalinkDocument {
  return { version: 4, files: [{ name: 'x', digests: [], sources }], warnings: [] };
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

test('sources that are neither http nor https are dropped with a warning, duplicates silently', () => {
  const selection = selectSources(
    documentOf(
      { url: 'ftp://user:secret@m/x' },
      { url: 'file:///etc/passwd' },
      { url: 'http://m/x' },
      { url: 'http://m/x', priority: 1 },
    ),
    { location: [], sourceOrder: 'priority' },
  );
  assert.deepEqual(selection.sources, [{ url: 'http://m/x' }]);
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
  const file = (name: string) => ({ name, digests: [], sources: [{ url: `http://m/${name}` }] });
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

test('the strongest digest is chosen, weak or missing ones are warned about', () => {
  const md5 = { algorithm: 'MD5', hex: '0'.repeat(32) } as const;
  const sha512 = { algorithm: 'SHA-512', hex: '1'.repeat(128) } as const;
  const select = (digests: MetalinkDocument['files'][0]['digests']) =>
    selectSources(
      { version: 4, files: [{ name: 'x', digests, sources: [{ url: 'http://m/' }] }], warnings: [] },
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
      const ranks = ordered.map((s) => s.priority ?? 1e9);
      assert.deepEqual(
        ranks,
        ranks.toSorted((a, b) => a - b),
      );
    }),
  );
});
