import { constants, copyFile, mkdir, open, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Artefact } from './artefacts.ts';

/** Every such piece of the corrupting mirror is wrong. */
const corruptEvery = 50;

/** A directory with a copy of the file in which one byte of every fiftieth piece is another one. @returns its path */
export async function makeCorruptCopy(scratch: string, artefact: Artefact): Promise<string> {
  const directory = join(scratch, 'corrupt');
  await mkdir(directory, { recursive: true });
  const path = join(directory, artefact.name);
  await copyFile(artefact.path, path, constants.COPYFILE_FICLONE);
  await using file = await open(path, 'r+');
  const byte = Buffer.alloc(1);
  for (let piece = corruptEvery - 1; piece < artefact.pieceSha256.length; piece += corruptEvery) {
    const position = piece * artefact.pieceBytes + Math.floor(artefact.pieceBytes / 3);
    if (position >= artefact.bytes) break;
    await file.read(byte, 0, 1, position);
    byte[0]! ^= 0xff;
    await file.write(byte, 0, 1, position);
  }
  return directory;
}

/** Writes a metalink (RFC 5854) whose mirrors are equally good. */
export async function writeMetalink(
  path: string,
  artefact: Artefact,
  facts: { readonly urls: readonly string[]; readonly pieces: boolean },
): Promise<void> {
  const pieces = facts.pieces
    ? [
        `    <pieces length="${artefact.pieceBytes}" type="sha-256">`,
        ...artefact.pieceSha256.map((hex) => `      <hash>${hex}</hash>`),
        '    </pieces>',
      ]
    : [];
  const lines = [
    '<?xml version="1.0" encoding="UTF-8"?>',
    '<metalink xmlns="urn:ietf:params:xml:ns:metalink">',
    `  <file name="${artefact.name}">`,
    `    <size>${artefact.bytes}</size>`,
    `    <hash type="sha-256">${artefact.sha256}</hash>`,
    ...pieces,
    ...facts.urls.map((url) => `    <url priority="1">${url}</url>`),
    '  </file>',
    '</metalink>',
  ];
  await writeFile(path, `${lines.join('\n')}\n`);
}
