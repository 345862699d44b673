import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ApiError } from '@millrace/api';
import { isSecretS3Detail, s3AccessFromDetails } from './s3-details.ts';

const complete = {
  's3.endpoint': 'https://s3.example:9000/',
  's3.region': 'eu-central-1',
  's3.accesskey': 'AKEXAMPLE',
  's3.secretkey': 's3cr3t/+=',
  's3.sessiontoken': 'tok/en==',
};

test('the details of S3 become what signing needs', () => {
  const expected = {
    endpoint: 'https://s3.example:9000',
    region: 'eu-central-1',
    accessKeyId: 'AKEXAMPLE',
    secretAccessKey: 's3cr3t/+=',
    sessionToken: 'tok/en==',
  };
  assert.deepEqual(s3AccessFromDetails({ ...complete, rootDiskController: 'virtio' }), expected);
  const { 's3.region': _region, 's3.sessiontoken': _token, ...short } = complete;
  const { sessionToken: _, ...withoutToken } = expected;
  assert.deepEqual(s3AccessFromDetails(short), { ...withoutToken, region: 'us-east-1' });
  const capitals = Object.fromEntries(
    Object.entries(complete).map(([name, value]) => [name.toUpperCase(), ` ${value} `]),
  );
  assert.deepEqual(s3AccessFromDetails(capitals), expected);
});

test('details that are not about S3 say nothing about it', () => {
  assert.equal(s3AccessFromDetails({}), undefined);
  assert.equal(s3AccessFromDetails({ s3: 'x', 'HTTP_HEADER:s3.endpoint': 'x' }), undefined);
});

test('what is missing or wrong is named, and no value is repeated', () => {
  for (const [change, named] of [
    [{ 's3.endpoint': '' }, 's3.endpoint'],
    [{ 's3.endpoint': 's3cr3t' }, 's3.endpoint'],
    [{ 's3.endpoint': 'ftp://s3cr3t' }, 's3.endpoint'],
    [{ 's3.endpoint': 'https://me:s3cr3t@x' }, 's3.endpoint'],
    [{ 's3.endpoint': 'https://x/s3cr3t' }, 's3.endpoint'],
    [{ 's3.accesskey': '' }, 's3.accesskey'],
    [{ 's3.accesskey': 's3cr3t/20130524/us-east-1' }, 's3.accesskey'],
    [{ 's3.secretkey': ' ' }, 's3.secretkey'],
    [{ 's3.secretkey': 's3cr3t\nx' }, 's3.secretkey'],
    [{ 's3.sessiontoken': '' }, 's3.sessiontoken'],
    [{ 's3.region': 'a/s3cr3t' }, 's3.region'],
    [{ 's3.secretKeys': 's3cr3t' }, 's3.secretkeys'],
    [{ 'S3.Region': 's3cr3t' }, 's3.region'],
  ] as const) {
    assert.throws(
      () => s3AccessFromDetails({ ...complete, ...change }),
      (error) =>
        error instanceof ApiError && error.message.includes(named) && !error.message.includes('s3cr3t'),
      JSON.stringify(change),
    );
  }
});

test('keys and tokens are secret in any case of letters', () => {
  for (const name of ['s3.secretkey', 'S3.SecretKey', 's3.accesskey', 's3.sessiontoken']) {
    assert.ok(isSecretS3Detail(name), name);
  }
  assert.ok(!isSecretS3Detail('s3.endpoint'));
});
