import assert from 'node:assert/strict';
import { test } from 'node:test';
import { looksLikeMetalink } from './index.ts';

test('metalinks are recognised with or without declaration, comment, prefix, byte order mark and DOCTYPE', () => {
  for (const text of [
    '<metalink xmlns="urn:ietf:params:xml:ns:metalink">',
    '<?xml version="1.0"?>\n<metalink version="3.0">',
    '  \n<!-- made by hand -->\n<metalink>',
    '<?xml version="1.0"?><m:metalink xmlns:m="x">',
    '\uFEFF<?xml version="1.0"?><metalink>',
    '<!DOCTYPE metalink [<!ENTITY x "y">]><metalink>',
  ]) {
    assert.equal(looksLikeMetalink(Buffer.from(text)), true, text);
  }
});

test('images, archives, web pages, other XML and nothing at all are not metalinks', () => {
  for (const bytes of [
    Buffer.alloc(0),
    Buffer.from('QFI\xfb', 'latin1'),
    Buffer.from([0x1f, 0x8b, 8]),
    Buffer.from('<!DOCTYPE html><html>'),
    Buffer.from('<?xml version="1.0"?><rss>'),
    Buffer.from('#!/bin/sh\necho "<metalink>"'),
    Buffer.concat([Buffer.alloc(512), Buffer.from('<metalink>')]),
  ]) {
    assert.equal(looksLikeMetalink(bytes), false, bytes.toString('latin1').slice(0, 20));
  }
});
