import assert from 'node:assert/strict';
import { test } from 'node:test';
import { appendUserData, decodeUserData, variableNames, variablesOf } from './user-data.ts';

const base64 = (text: string) => Buffer.from(text).toString('base64');
const text = (encoded: string) => Buffer.from(encoded, 'base64').toString('utf8');

test('Base64 is taken as clients write it, and kept in one form', () => {
  const plain = Buffer.from([0xfb, 0xff, 0xbf, 1]).toString('base64');
  assert.equal(plain, '+/+/AQ==');
  for (const written of ['+/+/AQ==', '-_-_AQ', '+/+/\r\nAQ=', '+/+/AQ']) {
    assert.equal(decodeUserData('userdata', written), plain);
  }
});

test('what is no Base64 is refused by the name of the parameter', () => {
  for (const written of ['#cloud-config', 'a', 'ab cd', 'ab=cd', '====', 'ä']) {
    assert.throws(() => decodeUserData('userdata', written), /Invalid parameter userdata: must be Base64/);
  }
});

test('names of variables are names of files and nothing else', () => {
  assert.deepEqual(variableNames('params', 'tier, size,,tier'), ['tier', 'size']);
  for (const name of ['../etc', 'a/b', '.hidden', '-x', 'x'.repeat(65)]) {
    assert.throws(() => variableNames('params', name), /Invalid parameter params: a name has/);
    assert.throws(() => variablesOf('userdatadetails', { [name]: '1' }), /userdatadetails/);
  }
  assert.throws(() => variablesOf('userdatadetails', { a: 'x'.repeat(4097) }), /a must not be longer/);
  const many = Object.fromEntries(Array.from({ length: 101 }, (_, i) => [`v${i}`, '']));
  assert.throws(() => variablesOf('userdatadetails', many), /at most 100/);
});

test('appended user data is one MIME message whose parts have the types that their first lines say', () => {
  const message = text(appendUserData(base64('#cloud-config\nusers: []'), base64('#!/bin/sh\necho hi')));
  const boundary = /boundary="([^"]+)"/.exec(message)![1]!;
  const [head, first, second, end] = message.split(`--${boundary}`);
  assert.match(head!, /^Content-Type: multipart\/mixed/);
  assert.match(first!, /Content-Type: text\/cloud-config\n/);
  assert.equal(text(first!.split('\n\n')[1]!), '#cloud-config\nusers: []');
  assert.match(second!, /Content-Type: text\/x-shellscript\n/);
  assert.equal(text(second!.split('\n\n')[1]!), '#!/bin/sh\necho hi');
  assert.equal(end, '--\n');
});

test('a MIME message that is appended to stays readable as one', () => {
  const inner = text(appendUserData(base64('#!/bin/sh'), base64('#cloud-config')));
  const outer = text(appendUserData(base64(inner), base64('#!/bin/sh\nlast')));
  assert.ok(outer.includes(inner.trim()));
  assert.equal(outer.match(/multipart\/mixed/g)!.length, 2);
});
