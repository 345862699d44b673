import { createInterface } from 'node:readline';
import { describeError, silentLogger } from '@millrace/core';
import { directorySink, fetchImage, type ImageRequest, makeSlabMemories } from '@millrace/image';

/**
 * The engine as it runs in a host's agent: one process that lives long. Each line is `URL SHA256 DIRECTORY NAME STORE`;
 * a digest of `-` means that the metalink has it.
 */

const limits: ImageRequest['limits'] = {
  connectTimeoutMs: 10_000,
  stallTimeoutMs: 30_000,
  checksumAttempts: 3,
  maxRedirects: 8,
  maxVirtualSizeBytes: 2 ** 44,
  maxTransferBytes: 2 ** 44,
  sourceOrder: 'priority',
};

const memories = makeSlabMemories();

async function fetchAsTold(line: string): Promise<void> {
  const [url, sha256, directory, fileName, store] = line.split(' ');
  if (!url || !sha256 || !directory || !fileName) throw new Error(`what is ${line}?`);
  const request: ImageRequest = {
    url,
    headers: {},
    format: undefined,
    storeFormat: store === 'raw' ? 'raw' : 'qcow2',
    expectedDigest: sha256 === '-' ? undefined : { algorithm: 'SHA-256', hex: sha256 },
    location: [],
    limits,
    egress: undefined,
  };
  const { signal } = new AbortController();
  await fetchImage(request, directorySink({ directory, fileName }), {
    signal,
    log: silentLogger,
    memories,
    keepPartial: true,
  });
}

console.log('ready');
for await (const line of createInterface({ input: process.stdin })) {
  try {
    await fetchAsTold(line);
    console.log('ok');
  } catch (error) {
    console.log(`failed ${describeError(error).replaceAll('\n', ' ')}`);
  }
}
