import assert from 'node:assert/strict';
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { withTestApi } from './testing/test-api.ts';

const html = { accept: 'text/html,application/xhtml+xml' };

test('pages of the console get its document, under a policy without inline script; files are kept for ever', async (t) => {
  const webDir = await mkdtemp(join(tmpdir(), 'millrace-web-'));
  t.after(() => rm(webDir, { recursive: true }));
  await mkdir(join(webDir, 'assets'));
  await writeFile(join(webDir, 'index.html'), '<!doctype html><title>console</title>');
  await writeFile(join(webDir, 'assets/main-1.js'), 'run()');
  const api = await withTestApi(t, { webDir });
  const { origin } = new URL(api.url);
  for (const path of ['/', '/instances', '/templates/6a8d?tab=mirrors']) {
    const page = await fetch(`${origin}${path}`, { headers: html });
    assert.equal(page.status, 200, path);
    assert.match(await page.text(), /console/);
    assert.match(page.headers.get('content-security-policy') ?? '', /script-src 'self';/);
    assert.equal(page.headers.get('cache-control'), 'no-cache');
  }
  const script = await fetch(`${origin}/assets/main-1.js`);
  assert.equal(await script.text(), 'run()');
  assert.match(script.headers.get('cache-control') ?? '', /immutable/);
});

test('a missing file, a call and a way out of the directory are no pages', async (t) => {
  const webDir = await mkdtemp(join(tmpdir(), 'millrace-web-'));
  t.after(() => rm(webDir, { recursive: true }));
  await writeFile(join(webDir, 'index.html'), '<!doctype html>');
  const api = await withTestApi(t, { webDir });
  const { origin } = new URL(api.url);
  assert.equal((await fetch(`${origin}/assets/gone.js`)).status, 404);
  assert.equal((await fetch(`${origin}/client/nothing`, { headers: html })).status, 404);
  const outside = await fetch(`${origin}/..%2f..%2f..%2f..%2fetc%2fpasswd`);
  assert.notEqual(outside.status, 200);
  assert.doesNotMatch(await outside.text(), /root:/);
  const call = await api.call('listZones');
  assert.equal(call.status, 200);
});

test('without a built console the API is all there is', async (t) => {
  const api = await withTestApi(t, { webDir: join(tmpdir(), 'millrace-nothing-here') });
  const page = await fetch(new URL(api.url).origin, { headers: html });
  assert.equal(page.status, 404);
  assert.match(await page.text(), /the API is at \/client\/api/);
});
