/**
 * What a failure means for the fetch, before budgets and the other sources are looked at (`failure-policy.ts` does):
 * - `same-source`: likely gone in a moment: ask the same source again, a few times.
 * - `next-source`: this source is of no use now; another may be.
 * - `policy`: this URL must not be fetched; another source may be allowed.
 * - `wrong-bytes`: the source is to blame for bytes that are not the image: next checksum attempt, at the next source.
 * - `wrong-piece`: the source is to blame for some bytes; all others are known to be right and are kept.
 * - `refused`: the bytes are an image that is never accepted.
 * - `next-host`: nothing is wrong with the sources; this host or its pool cannot go on.
 * - `stop`: no host and no source would make a difference.
 */
export type Outcome =
  | 'same-source'
  | 'next-source'
  | 'policy'
  | 'wrong-bytes'
  | 'wrong-piece'
  | 'refused'
  | 'next-host'
  | 'stop';

export interface FetchErrorRow {
  readonly outcome: Outcome;
  /** What happened, as a sentence without its full stop. */
  readonly summary: string;
  /** What whoever reads it can do. */
  readonly nextStep: string;
}

const mirror = 'nothing, when another source worked; otherwise check the server';

/** Every way in which a fetch or a probe can fail. `docs/errors.md` shows the same table. */
export const fetchErrors = {
  REQUEST_MALFORMED: {
    outcome: 'stop',
    summary: 'the request itself is malformed',
    nextStep: 'correct the URL, the header or the limit that is named',
  },
  CANCELLED: {
    outcome: 'stop',
    summary: 'the fetch was cancelled',
    nextStep: 'start it again when it is wanted after all',
  },
  SCHEME_REFUSED: {
    outcome: 'policy',
    summary: 'the scheme of the URL is not one that images are fetched by',
    nextStep: 'publish the image at an http, https, nfs or s3 URL',
  },
  EGRESS_REFUSED: {
    outcome: 'policy',
    summary: 'the egress policy does not allow a connection to this address',
    nextStep: 'use a public address, or have an administrator allow the network of the server',
  },
  HOST_NOT_FOUND: {
    outcome: 'next-source',
    summary: 'the host name cannot be resolved',
    nextStep: 'check the spelling of the host name and the name servers of the fetching host',
  },
  CONNECT_REFUSED: {
    outcome: 'next-source',
    summary: 'the server refuses connections',
    nextStep: 'check that the web server runs and that the port in the URL is right',
  },
  CONNECT_TIMEOUT: {
    outcome: 'next-source',
    summary: 'no connection within the connect time-out',
    nextStep: 'check routes and firewalls between the fetching host and the server',
  },
  NETWORK_UNREACHABLE: {
    outcome: 'next-source',
    summary: 'the server cannot be reached',
    nextStep: 'check routes and firewalls between the fetching host and the server',
  },
  TLS_FAILED: {
    outcome: 'next-source',
    summary: 'no trusted TLS connection',
    nextStep:
      'check that the certificate is valid, names this host and is signed by a CA the fetching host trusts',
  },
  CONNECTION_RESET: {
    outcome: 'same-source',
    summary: 'the connection was reset',
    nextStep: mirror,
  },
  TRANSFER_CUT: {
    outcome: 'same-source',
    summary: 'the connection ended before the transfer did',
    nextStep: mirror,
  },
  TRANSFER_STALLED: {
    outcome: 'same-source',
    summary: 'nothing, or next to nothing, arrived for the whole stall time',
    nextStep: `${mirror}, or raise the stall time-out for very slow sources`,
  },
  SOURCE_CHANGED: {
    outcome: 'same-source',
    summary: 'the file at the source changed while it was fetched',
    nextStep:
      'nothing, when the fetch began anew and ended; otherwise publish files under names of their own',
  },
  RANGES_UNSUPPORTED: {
    outcome: 'next-source',
    summary: 'the server does not send parts of the file',
    nextStep: 'nothing: such a source is used when it has to send the whole',
  },
  HTTP_SERVER_ERROR: {
    outcome: 'same-source',
    summary: 'the server answered with an error of its own (5xx)',
    nextStep: mirror,
  },
  HTTP_BUSY: {
    outcome: 'same-source',
    summary: 'the server asks to come back later (429 or 503)',
    nextStep: 'try again later, or add a mirror',
  },
  HTTP_NOT_FOUND: {
    outcome: 'next-source',
    summary: 'the server does not have the file (404 or 410)',
    nextStep: 'check the URL; the publisher may have moved the image',
  },
  HTTP_DENIED: {
    outcome: 'next-source',
    summary: 'the server denies access (401, 403 or 407)',
    nextStep: 'give credentials in the URL or in a request header, or renew a presigned URL that has expired',
  },
  HTTP_REJECTED: {
    outcome: 'next-source',
    summary: 'the server rejects the request (4xx)',
    nextStep: 'check the URL and the request headers',
  },
  HTTP_UNEXPECTED: {
    outcome: 'next-source',
    summary: 'the server answered with something that is no transfer of a file',
    nextStep: 'check that the URL is that of the file itself',
  },
  REDIRECT_LIMIT: {
    outcome: 'next-source',
    summary: 'too many redirects',
    nextStep: 'use the URL that the redirects lead to',
  },
  CONTENT_ENCODING: {
    outcome: 'next-source',
    summary: 'the server applied a content encoding that was not asked for',
    nextStep: 'configure the server to send image files as they are, without Content-Encoding',
  },
  LENGTH_TOO_SHORT: {
    outcome: 'next-source',
    summary: 'the source has or sent fewer bytes than the image',
    nextStep: 'have the mirror synchronised again, or correct the size in the metalink',
  },
  LENGTH_TOO_LONG: {
    outcome: 'next-source',
    summary: 'the source has or sent more bytes than the image',
    nextStep: 'have the mirror synchronised again, or correct the size in the metalink',
  },
  WEB_PAGE: {
    outcome: 'next-source',
    summary: 'the server sent a web page instead of an image',
    nextStep: 'open the URL in a browser: a login, a portal or an error page with status 200 is in the way',
  },
  METALINK_NESTED: {
    outcome: 'next-source',
    summary: 'a source of the metalink is a metalink again',
    nextStep: 'list the URLs of the image itself in the metalink',
  },
  METALINK_UNUSABLE: {
    outcome: 'stop',
    summary: 'the metalink cannot be used',
    nextStep: 'have the metalink corrected as the message says',
  },
  PROBE_TIMEOUT: {
    outcome: 'next-source',
    summary: 'no answer within the time of the probe',
    nextStep: 'nothing, when another source answered; otherwise check the server',
  },
  DIGEST_MISMATCH: {
    outcome: 'wrong-bytes',
    summary: 'the bytes do not have the expected digest',
    nextStep: 'compare the checksum with the one the publisher gives: either it is wrong, or the mirrors are',
  },
  SOURCES_DIFFER: {
    outcome: 'wrong-bytes',
    summary: 'two sources send different bytes for the beginning of the image',
    nextStep: 'have the mirrors synchronised again; without digests of pieces nobody can tell which is right',
  },
  PIECE_MISMATCH: {
    outcome: 'wrong-piece',
    summary: 'a piece does not have the digest that the metalink gives it',
    nextStep: mirror,
  },
  ARCHIVE_BROKEN: {
    outcome: 'wrong-bytes',
    summary: 'the compressed bytes cannot be unpacked',
    nextStep:
      'unpack the file by hand to check it; give a checksum so that a bad mirror can be told from a bad file',
  },
  ARCHIVE_UNSUPPORTED: {
    outcome: 'refused',
    summary: 'the archive is of a kind that is not unpacked',
    nextStep: 'pack exactly one image, without encryption: as .zip, .tar or .ova, or compress it alone',
  },
  IMAGE_TRUNCATED: {
    outcome: 'wrong-bytes',
    summary: 'the image refers to data beyond its own end',
    nextStep:
      'check the file with qemu-img check; give a checksum so that a bad mirror can be told from a bad file',
  },
  IMAGE_EMPTY: {
    outcome: 'refused',
    summary: 'the image is empty',
    nextStep: 'publish the image again: its upload probably failed',
  },
  IMAGE_FORMAT_MISMATCH: {
    outcome: 'refused',
    summary: 'the image does not have the declared format',
    nextStep: 'register it with its real format, or convert it with qemu-img convert',
  },
  IMAGE_HEADER_INVALID: {
    outcome: 'refused',
    summary: 'the header of the image is invalid',
    nextStep: 'write the image anew with qemu-img convert',
  },
  IMAGE_BACKING_FILE: {
    outcome: 'refused',
    summary: 'the image refers to a backing file',
    nextStep: 'flatten it with qemu-img convert before it is published',
  },
  IMAGE_DATA_FILE: {
    outcome: 'refused',
    summary: 'the image keeps its data in an external file',
    nextStep: 'write it anew with qemu-img convert, without data_file',
  },
  IMAGE_FEATURE_UNKNOWN: {
    outcome: 'refused',
    summary: 'the image uses features that are not accepted',
    nextStep: 'write it anew with qemu-img convert -o compat=1.1',
  },
  IMAGE_MARKED_CORRUPT: {
    outcome: 'refused',
    summary: 'the image marks itself as corrupt',
    nextStep: 'repair it with qemu-img check -r all before it is published',
  },
  IMAGE_ENCRYPTED: {
    outcome: 'refused',
    summary: 'the image is encrypted',
    nextStep: 'publish it unencrypted; nothing here could give it its key',
  },
  IMAGE_SNAPSHOTS: {
    outcome: 'refused',
    summary: 'the image contains internal snapshots',
    nextStep: 'write it anew with qemu-img convert, which leaves snapshots out',
  },
  IMAGE_NESTED_COMPRESSION: {
    outcome: 'refused',
    summary: 'the image is compressed more than once',
    nextStep: 'compress it once',
  },
  IMAGE_TOO_LARGE: {
    outcome: 'refused',
    summary: 'the virtual size of the image is over the limit',
    nextStep: 'use a smaller image, or have an administrator raise the limit',
  },
  TRANSFER_TOO_LARGE: {
    outcome: 'refused',
    summary: 'the file is larger than the limit for transfers',
    nextStep: 'use a smaller file, or have an administrator raise the limit',
  },
  UNPACKED_TOO_LARGE: {
    outcome: 'refused',
    summary: 'the file unpacks to more than the limit',
    nextStep: 'treat the file as hostile, or have an administrator raise the limit',
  },
  POOL_FULL: {
    outcome: 'next-host',
    summary: 'there is not enough space where the image is to be put',
    nextStep: 'free space there or add some',
  },
  POOL_UNAVAILABLE: {
    outcome: 'next-host',
    summary: 'the place where the image is to be put cannot be written',
    nextStep: 'check that it is mounted, writable and healthy',
  },
  PARTIAL_LOST: {
    outcome: 'next-host',
    summary: 'the partial image was removed or replaced by someone else while it was written',
    nextStep: 'make sure that one program at a time fetches into this directory',
  },
  COMMIT_SIZE_WRONG: {
    outcome: 'next-host',
    summary: 'the file on disk does not have the size that was written',
    nextStep: 'check the file system and the disk under it',
  },
  DECODER_MISSING: {
    outcome: 'next-host',
    summary: 'the program that unpacks this kind of file is not installed on this host',
    nextStep: 'install xz-utils, and lbzip2 or bzip2, and util-linux on the host',
  },
  DECODER_FAILED: {
    outcome: 'next-host',
    summary: 'the program that unpacks the file was killed',
    nextStep: 'check the memory of the host and its kernel log',
  },
  CONVERTER_MISSING: {
    outcome: 'next-host',
    summary: 'the program that converts this kind of image is not installed on this host',
    nextStep: 'install qemu-utils and util-linux on the host',
  },
  CONVERT_FAILED: {
    outcome: 'refused',
    summary: 'the image cannot be converted to what the pool stores',
    nextStep: 'convert it with qemu-img convert -O qcow2 before it is published',
  },
  ALL_SOURCES_FAILED: {
    outcome: 'next-host',
    summary: 'no source delivered the image',
    nextStep: 'see the reason of each source in the attempts',
  },
  SIGNATURE_MISSING: {
    outcome: 'refused',
    summary: 'signature keys are configured and nothing is signed',
    nextStep: 'have the publisher add a signature, use a source that has one, or remove the keys',
  },
  SIGNATURE_INVALID: {
    outcome: 'refused',
    summary: 'there is no valid signature of a configured key',
    nextStep:
      'treat what it signs as hostile until its publisher confirms it; if the key has changed, configure the new one',
  },
  SIGNATURE_MISMATCH: {
    outcome: 'wrong-bytes',
    summary: 'the bytes are not those that were signed',
    nextStep:
      'compare the image with the one its publisher signed: either the signature is of another file, or the mirrors are wrong',
  },
  CHECKSUM_LIST_UNUSABLE: {
    outcome: 'stop',
    summary: 'no checksum could be taken from the list of checksums',
    nextStep:
      'correct the URL of the list as the message says, or give the checksum itself as {ALGORITHM}hex',
  },
  SOURCE_URL_INVALID: {
    outcome: 'next-source',
    summary: 'the URL of the source cannot be used',
    nextStep: 'correct the URL as the message says',
  },
  SOURCE_NOT_FOUND: {
    outcome: 'next-source',
    summary: 'the server does not have the file',
    nextStep: 'check the URL: the export, the directories below it and the name of the file',
  },
  SOURCE_DENIED: {
    outcome: 'next-source',
    summary: 'the server denies access to the file',
    nextStep:
      'export the directory to the fetching host, and make the file readable for everybody: nobody asks for it',
  },
  SOURCE_UNEXPECTED: {
    outcome: 'next-source',
    summary: 'the server cannot be asked for the file, or its answer cannot be used',
    nextStep: 'check that the service of the URL runs there and speaks the version asked for',
  },
  SOURCE_TOOL_MISSING: {
    outcome: 'next-source',
    summary: 'the program that reads this kind of source is not installed on this host',
    nextStep: 'install libnfs-utils on the host',
  },
  S3_ACCESS_MISSING: {
    outcome: 'next-source',
    summary: 'an s3 URL without an endpoint and keys to reach it',
    nextStep: 'give s3.endpoint, s3.accesskey and s3.secretkey with the image, or use a presigned https URL',
  },
} as const satisfies Record<string, FetchErrorRow>;

export type FetchErrorCode = keyof typeof fetchErrors;
