import assert from 'node:assert/strict';
import { MillraceError } from '@millrace/core';
import {
  chooseChecksum,
  documentOfHeaders,
  metalinkErrors,
  parseChecksumList,
  parseMetalink,
  readMirrorHeaders,
  type Selection,
  selectSources,
} from '@millrace/metalink';

/** Everything that is read as text before an image is believed: metalinks, headers of answers, lists of checksums. */

const digest = 'ab'.repeat(32);
const options = { location: ['de', 'eu'], sourceOrder: 'priority', wantedName: 'x' } as const;
const url = 'https://origin.example/dir/x';

/** The first byte says which reader gets the rest, so that a mutation does not turn one kind of input into another. */
const readers: Readonly<Record<string, (rest: Buffer) => void>> = {
  m: (rest) => checkSelection(selectSources(parseMetalink(rest), options)),
  h: (rest) => {
    const [link = '', digestText = '', repr = ''] = rest.toString('latin1').split('\n');
    const found = readMirrorHeaders({ link, digest: digestText, 'repr-digest': repr }, { url });
    checkSelection(selectSources(documentOfHeaders(url, found), options));
  },
  c: (rest) => {
    const { digest: chosen } = chooseChecksum(parseChecksumList(rest), 'x');
    assert.match(chosen.hex, /^[0-9a-f]{32,128}$/);
  },
};

function checkSelection(selection: Selection): void {
  assert.ok(selection.sources.length > 0);
  assert.ok(selection.warnings.length <= 110);
  for (const [index, source] of selection.sources.entries()) {
    assert.match(source.url, /^(https?|nfs|s3):/);
    const step = source.rank - (selection.sources[index - 1]?.rank ?? 0);
    assert.ok(step === 0 || step === 1, 'ranks have no holes');
  }
  assert.equal(selection.sources[0]?.rank, 1);
  assert.doesNotMatch(selection.fileName, /(^|[/\\])\.\.([/\\]|$)|^[/\\]/);
  const { pieces, sizeBytes = 0 } = selection;
  if (!pieces) return;
  assert.equal(pieces.hexDigests.length, Math.ceil(sizeBytes / pieces.lengthBytes));
  assert.ok(pieces.hexDigests.every((hex) => /^[0-9a-f]{32,128}$/.test(hex)));
}

const seeds = [
  `m<?xml version="1.0"?><metalink xmlns="urn:ietf:params:xml:ns:metalink"><file name="x"><size>5</size>
    <hash type="sha-256">${digest}</hash><pieces length="4" type="sha-256"><hash>${digest}</hash><hash>${digest}</hash></pieces>
    <signature mediatype="application/pgp-signature">-----BEGIN PGP SIGNATURE-----</signature>
    <url priority="1" location="de">http://u:p@m/x?a=1&amp;b=2#c</url><url>s3://b/x</url><url>nfs://h/x</url></file></metalink>`,
  `m<metalink version="3.0"><files><file name="a/x"><size>5</size><verification><hash type="md5">${'a'.repeat(32)}</hash>
    <pieces length="5" type="sha1"><hash piece="0">${'b'.repeat(40)}</hash></pieces></verification><resources maxconnections="3">
    <url type="http" preference="90" maxconnections="1">http://m/x</url><url type="bittorrent">http://m/x.torrent</url>
    </resources></file><file name="y"/></files></metalink>`,
  'm<!DOCTYPE m [<!ENTITY a "b">]><metalink><file name="&a;"><![CDATA[x]]><!-- c --></file></metalink>',
  `h<http://m/x>; rel=duplicate; pri=1; geo=de; depth=2, </y>; rel="describedby"; type="application/metalink4+xml"; t="a,\\"b"
SHA-256=${Buffer.from(digest, 'hex').toString('base64')}, MD5=AAAA
sha-256=:${Buffer.from(digest, 'hex').toString('base64')}:, sha-512=:AA==:`,
  `c${digest}  x\n${digest} *y\n\\${digest}  a\\nb\nSHA256 (x) = ${digest}\r\n# comment\n`,
  `c-----BEGIN PGP SIGNED MESSAGE-----\nHash: SHA256\n\n- ${digest}  x\n-----BEGIN PGP SIGNATURE-----\n\nAAAA\n-----END PGP SIGNATURE-----\n`,
  `c${digest}`,
];

/** `run` throws for a bug only; refusing an input with an error of the registry is what the readers are for. */
export const target = {
  name: 'metalink',
  seeds: (): Buffer[] => seeds.map((seed) => Buffer.from(seed)),
  run(bytes: Buffer): string {
    const reader = readers[String.fromCharCode(bytes[0] ?? 0)] ?? readers['m']!;
    try {
      reader(bytes.subarray(1));
      return 'accepted';
    } catch (error) {
      if (error instanceof MillraceError && Object.hasOwn(metalinkErrors, error.code)) return error.code;
      throw error;
    }
  },
};
