import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { readFile, truncate, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { runProgram } from '@millrace/core';
import { decodeAll, faultOf } from '../testing/decode.ts';
import { temporaryDirectory } from '../testing/request.ts';
import { detectCompression } from './compression.ts';
import { unpackTar } from './unpack-tar.ts';

/** Needs GNU tar. */

const signal = AbortSignal.timeout(60_000);
const content = randomBytes(20_000);
const disk = `a-disk-with-a-name-longer-than-${'the-field-has-'.repeat(8)}.vmdk`;

for (const format of ['ustar', 'gnu', 'oldgnu', 'posix'] as const) {
  test(`an OVA that GNU tar wrote as ${format} gives its disk`, async () => {
    await using directory = await temporaryDirectory();
    const name = format === 'ustar' ? 'disk.vmdk' : disk;
    await writeFile(join(directory.path, 'a.ovf'), '<Envelope/>');
    await writeFile(join(directory.path, 'a.mf'), 'SHA256(a.ovf)= 00');
    await writeFile(join(directory.path, name), content);
    const argv = ['-C', directory.path, `--format=${format}`, '-cf', join(directory.path, 'a.ova')];
    await runProgram('tar', [...argv, 'a.ovf', 'a.mf', name], { signal });
    const file = await readFile(join(directory.path, 'a.ova'));
    assert.equal(detectCompression(file), 'tar');
    assert.ok((await decodeAll(unpackTar, file)).equals(content));
  });
}

for (const format of ['gnu', 'posix'] as const) {
  test(`a disk that GNU tar packed without its holes as ${format} is refused`, async () => {
    await using directory = await temporaryDirectory();
    await writeFile(join(directory.path, 'disk.raw'), content);
    await truncate(join(directory.path, 'disk.raw'), 10_000_000);
    const argv = [
      '-C',
      directory.path,
      `--format=${format}`,
      '--sparse',
      '-cf',
      join(directory.path, 'a.tar'),
    ];
    await runProgram('tar', [...argv, 'disk.raw'], { signal });
    const file = await readFile(join(directory.path, 'a.tar'));
    assert.ok(file.length < 1_000_000, 'nothing was left out');
    await assert.rejects(decodeAll(unpackTar, file), faultOf('ARCHIVE_UNSUPPORTED', /sparse/));
  });
}
