import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { buffer } from 'node:stream/consumers';
import { test } from 'node:test';
import { redactUrl } from '@millrace/core';
import { startS3Server } from '../../../../test/servers/s3-server.ts';
import { signatureRefusal } from '../../../../test/servers/s3-signature.ts';
import { FetchFault } from '../errors.ts';
import type { EgressPolicy, S3Access } from '../types.ts';
import { makeHttpClient } from './http-source.ts';
import { presignObject, presignS3 } from './s3.ts';

const { signal } = new AbortController();
const credentials = { accessKeyId: 'AKEXAMPLE', secretAccessKey: 's3cr3t/+=key', region: 'eu-central-1' };
const access: S3Access = { ...credentials, endpoint: 'https://s3.example' };
const now = Date.UTC(2026, 10, 26, 8, 30);
const signing = { now, expiresSeconds: 900 };

function faultOf(code: string) {
  return (error: unknown) => error instanceof FetchFault && error.code === code;
}

async function get(
  url: string,
  options: { method?: string; egress?: EgressPolicy; range?: number } = {},
): Promise<Buffer> {
  await using client = makeHttpClient({
    egress: options.egress,
    connectTimeoutMs: 5000,
    stallTimeoutMs: 5000,
    maxRedirects: 5,
  });
  const opened = await client.open(url, {
    headers: {},
    signal,
    ...(options.range === undefined ? {} : { range: { first: 0, last: options.range - 1 } }),
  });
  return await buffer(opened.body);
}

// Amazon S3 API reference, “Authenticating Requests: Using Query Parameters”
const published = {
  access: {
    endpoint: 'https://examplebucket.s3.amazonaws.com',
    region: 'us-east-1',
    accessKeyId: 'AKIAIOSFODNN7EXAMPLE',
    secretAccessKey: 'wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY',
  },
  url: 'https://examplebucket.s3.amazonaws.com/test.txt',
  now: Date.UTC(2013, 4, 24),
  signature: 'aeeed9bbccd4d02ee5c0109b86d86835f995330da4c265957d157751f604d404',
};

test('the signature of Amazon’s published example is reproduced', async () => {
  const signed = new URL(
    await presignObject(published.url, published.access, { now: published.now, expiresSeconds: 86_400 }),
  );
  assert.equal(signed.searchParams.get('X-Amz-Signature'), published.signature);
  assert.equal(signed.searchParams.get('X-Amz-SignedHeaders'), 'host');
});

test('the server for tests grants Amazon’s published example', () => {
  const target =
    '/test.txt?X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Credential=AKIAIOSFODNN7EXAMPLE%2F20130524%2Fus-east-1%2Fs3%2Faws4_request' +
    `&X-Amz-Date=20130524T000000Z&X-Amz-Expires=86400&X-Amz-SignedHeaders=host&X-Amz-Signature=${published.signature}`;
  const request = { method: 'GET', target, headers: { host: 'examplebucket.s3.amazonaws.com' } };
  assert.equal(signatureRefusal(request, published.access, published.now), undefined);
  assert.equal(
    signatureRefusal({ ...request, method: 'HEAD' }, published.access, published.now),
    'SignatureDoesNotMatch',
  );
});

test('objects are read whatever characters their keys have', async () => {
  const keys = [
    'image.qcow2',
    'a b/ü€😀+plus&amp=%25?#.raw',
    '!*\'()~-_.;:@$,[]|\\^`{}<>"',
    'double//slash/…',
    '%41',
  ];
  const objects = Object.fromEntries(keys.map((key) => [`my-bucket/${key}`, randomBytes(70_000)]));
  await using server = await startS3Server({ objects, credentials, now: () => now });
  for (const key of keys) {
    const url = `s3://my-bucket/${key.split('/').map(encodeURIComponent).join('/')}`;
    const signed = await presignS3(url, { ...access, endpoint: server.endpoint }, signing);
    const content = Buffer.from(objects[`my-bucket/${key}`]!);
    assert.ok(content.equals(await get(signed)), key);
    assert.ok(content.subarray(0, 1000).equals(await get(signed, { range: 1000 })), key);
  }
});

test('a session token is part of what is signed', async () => {
  const objects = { 'my-bucket/x': Buffer.from('the image') };
  const sessionToken = 'to/ken+with=every&thing';
  await using server = await startS3Server({
    objects,
    credentials: { ...credentials, sessionToken },
    now: () => now,
  });
  const withToken = { ...access, endpoint: server.endpoint, sessionToken };
  assert.equal(String(await get(await presignS3('s3://my-bucket/x', withToken, signing))), 'the image');
  const { sessionToken: _, ...without } = withToken;
  await assert.rejects(get(await presignS3('s3://my-bucket/x', without, signing)), faultOf('HTTP_DENIED'));
});

test('a signature holds for its key, region, time, object and method only', async () => {
  const objects = { 'my-bucket/x': Buffer.from('the image'), 'my-bucket/y': Buffer.from('another') };
  let clock = now;
  await using server = await startS3Server({ objects, credentials, now: () => clock });
  const reach = { ...access, endpoint: server.endpoint };
  const denied = (url: string) => assert.rejects(get(url), faultOf('HTTP_DENIED'));
  const sign = (change: Partial<S3Access> = {}) =>
    presignS3('s3://my-bucket/x', { ...reach, ...change }, signing);
  const signed = await sign();
  assert.equal(String(await get(signed)), 'the image');
  await denied(await sign({ secretAccessKey: 'another' }));
  await denied(await sign({ accessKeyId: 'AKANOTHER' }));
  await denied(await sign({ region: 'us-east-1' }));
  await denied(signed.replace('/x?', '/y?'));
  await denied(signed.replace('X-Amz-Expires=900', 'X-Amz-Expires=90000'));
  await denied(`${server.endpoint}/my-bucket/x`);
  const head = await fetch(signed, { method: 'HEAD' });
  assert.equal(head.status, 403, 'a HEAD is not what was signed');
  clock = now + 900_000;
  assert.equal(String(await get(signed)), 'the image');
  clock = now + 901_000;
  await denied(signed);
  const missing = await presignS3('s3://my-bucket/none', reach, { ...signing, now: clock });
  await assert.rejects(get(missing), faultOf('HTTP_NOT_FOUND'));
  assert.ok(server.requests().length > 8);
});

test('the endpoint is subject to the egress policy', async () => {
  const signed = await presignS3('s3://my-bucket/x', { ...access, endpoint: 'http://127.0.0.1:9' }, signing);
  await assert.rejects(get(signed, { egress: { allowedCidrs: [] } }), faultOf('EGRESS_REFUSED'));
});

test('expiry is kept within what Amazon allows', async () => {
  for (const [asked, given] of [
    [0, '1'],
    [60.9, '60'],
    [1e9, '604800'],
  ] as const) {
    const signed = new URL(await presignS3('s3://b-b/x', access, { now, expiresSeconds: asked }));
    assert.equal(signed.searchParams.get('X-Amz-Expires'), given);
  }
});

test('s3 URLs that name no object, or another than they seem to, are refused', async () => {
  for (const url of [
    's3://bucket',
    's3://bucket/',
    's3://bucket/dir/',
    's3:///key',
    's3://-bucket/key',
    's3://user:secret@bucket/key',
    's3://bucket:80/key',
    's3://bucket/key?versionId=1',
    's3://bucket/key#part',
    's3://bucket/a/../key',
    's3://bucket/a/%2E%2E/key',
    's3://bucket/100%',
    `s3://bucket/${'k'.repeat(1025)}`,
    'https://bucket/key',
  ]) {
    await assert.rejects(presignS3(url, access, signing), faultOf('SOURCE_URL_INVALID'), url);
  }
  await assert.rejects(presignS3('s3://bucket/key', undefined, signing), faultOf('S3_ACCESS_MISSING'));
  await assert.rejects(
    presignS3('s3://bucket/key', { ...access, secretAccessKey: '' }, signing),
    faultOf('S3_ACCESS_MISSING'),
  );
});

test('an endpoint is an http or https origin, and is not repeated when it is none', async () => {
  for (const endpoint of [
    's3cr3t/+=key',
    'ftp://s3.example',
    'https://s3.example/path',
    'https://me:s3cr3t@s3.example',
    'https://s3.example?x=s3cr3t',
  ]) {
    await assert.rejects(
      presignS3('s3://bucket/key', { ...access, endpoint }, signing),
      (error) => faultOf('REQUEST_MALFORMED')(error) && !String(error).includes('s3cr3t'),
    );
  }
});

test('neither the secret key nor the signature is in what may be shown', async () => {
  const signed = await presignS3('s3://bucket/key', { ...access, sessionToken: 'token' }, signing);
  assert.ok(!signed.includes(encodeURIComponent(credentials.secretAccessKey)));
  assert.equal(redactUrl(signed), 'https://s3.example/bucket/key?…');
});
