import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ApiError } from '@millrace/api';
import {
  displayableName,
  isHeaderDetail,
  requestHeaders,
  templateChecksum,
  templateFormat,
  templateUrl,
} from './template-registration.ts';

function refuses(param: string, work: () => unknown): void {
  assert.throws(work, (error) => {
    assert.ok(error instanceof ApiError);
    assert.equal(error.errorcode, 431);
    assert.match(error.message, new RegExp(`^Invalid parameter ${param}: `));
    return true;
  });
}

test('URLs keep their credentials and query and lose their fragment', () => {
  assert.equal(templateUrl(' https://u:p@a.example/x.qcow2?k=v#frag '), 'https://u:p@a.example/x.qcow2?k=v');
  assert.equal(templateUrl('http://[2001:db8::1]:8080/x'), 'http://[2001:db8::1]:8080/x');
});

for (const url of [
  '',
  'x',
  '/etc/passwd',
  'file:///etc/passwd',
  'gopher://a/b',
  'javascript:1',
  'https://',
]) {
  test(`the URL "${url}" is refused`, () => {
    refuses('url', () => templateUrl(url));
  });
}

test('checksums are brought to one spelling', () => {
  const md5 = 'D41D8CD98F00B204E9800998ECF8427E';
  assert.equal(templateChecksum(md5), `{MD5}${md5.toLowerCase()}`);
  assert.equal(templateChecksum(`{md5}${md5}`), `{MD5}${md5.toLowerCase()}`);
  assert.equal(templateChecksum(undefined), undefined);
  refuses('checksum', () => templateChecksum('{SHA-256}abc'));
});

test('formats are known in any case', () => {
  assert.equal(templateFormat('qcow2'), 'QCOW2');
  assert.equal(templateFormat('Raw'), 'RAW');
  for (const format of ['VDI', 'ISO', 'TAR', '']) refuses('format', () => templateFormat(format));
});

test('headers are taken from the details, and those that could change the transfer or smuggle others are refused', () => {
  const headers = requestHeaders({ 'HTTP_HEADER:X-Token': 'a b', other: 'x\ny' });
  assert.deepEqual(headers, { 'X-Token': 'a b' });
  for (const [name, value] of [
    ['HTTP_HEADER:', 'x'],
    ['HTTP_HEADER:Range', 'bytes=0-'],
    ['HTTP_HEADER:transfer-encoding', 'chunked'],
    ['HTTP_HEADER:X: y', 'x'],
    ['HTTP_HEADER:X', 'a\r\nHost: b'],
    ['HTTP_HEADER:X', 'a\u2028b'],
    ['long', 'x'.repeat(9000)],
  ] as const) {
    refuses('details', () => requestHeaders({ [name]: value }));
  }
});

test('names cannot break a line or turn text around', () => {
  assert.equal(displayableName('name', '  Débian 12 '), 'Débian 12');
  for (const name of ['a\nb', 'a\u202eb', 'a\u2028b', '\u200b', ' '])
    refuses('name', () => displayableName('name', name));
});

test('a header whose prefix is written in small letters is a header, and a secret, all the same', () => {
  assert.deepEqual(requestHeaders({ 'http_header:Authorization': 'Bearer x' }), {
    Authorization: 'Bearer x',
  });
  assert.equal(isHeaderDetail('Http_Header:X'), true);
  assert.equal(isHeaderDetail('rootDiskController'), false);
});
