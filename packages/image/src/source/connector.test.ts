import assert from 'node:assert/strict';
import { text } from 'node:stream/consumers';
import { test } from 'node:test';
import { startBadWebServer } from '../../../../test/servers/bad-web-server.ts';
import { makeHttpClient } from './http-source.ts';

test('a proxy named in the environment is not used: it would connect where the policy was never asked', async (t) => {
  await using proxy = await startBadWebServer();
  await using server = await startBadWebServer({ files: { x: Buffer.from('the image') } });
  const names = [
    'http_proxy',
    'https_proxy',
    'HTTP_PROXY',
    'HTTPS_PROXY',
    'ALL_PROXY',
    'no_proxy',
    'NO_PROXY',
  ];
  const before = names.map((name) => [name, process.env[name]] as const);
  t.after(() => {
    for (const [name, value] of before) {
      if (value === undefined) delete process.env[name];
      else process.env[name] = value;
    }
  });
  for (const name of names) process.env[name] = name.toLowerCase() === 'no_proxy' ? '' : proxy.origin;
  await using client = makeHttpClient({
    egress: { allowedCidrs: ['127.0.0.0/8'] },
    connectTimeoutMs: 5000,
    stallTimeoutMs: 5000,
    maxRedirects: 5,
  });
  const { signal } = new AbortController();
  const opened = await client.open(server.url('ok', 'x'), { headers: {}, signal });
  assert.equal(await text(opened.body), 'the image');
  assert.deepEqual(proxy.requests(), []);
});
