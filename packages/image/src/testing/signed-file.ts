import { readFileSync } from 'node:fs';
import { pgpMediaType } from '@millrace/metalink';

/** The file that the signatures in testdata/openpgp are over. */
export const signedFile = Buffer.from(Array.from({ length: 100_000 }, (_, index) => (index * 7) % 251));

export function openpgpFixture(name: string): Buffer {
  return readFileSync(new URL(`../testdata/openpgp/${name}`, import.meta.url));
}

export function publicKey(name: string): string {
  return openpgpFixture(`${name}.pub`).toString();
}

/** As a metalink would carry it. */
export function signatureOf(name: string) {
  return { mediaType: pgpMediaType, text: openpgpFixture(`${name}.asc`).toString() };
}
