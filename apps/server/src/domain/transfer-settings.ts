/** Settings of how hosts move images, besides the bounds of each transfer. */

const directDownload = { category: 'Storage', group: 'Storage', subgroup: 'Direct download' } as const;
const fastest = 1e12;

export const transferSettings = {
  'direct.download.max.sources': {
    ...directDownload,
    kind: 'number',
    default: 4,
    min: 1,
    max: 16,
    description: 'Mirrors of the same rank that a host uses at a time for one image',
  },
  'direct.download.max.connections.per.source': {
    ...directDownload,
    kind: 'number',
    default: 4,
    min: 1,
    max: 16,
    description: 'Connections to one mirror, as long as a further one makes the transfer faster',
  },
  'direct.download.min.rate': {
    ...directDownload,
    kind: 'number',
    default: 0,
    min: 0,
    max: fastest,
    description: 'Bytes per second under which mirrors of a lower rank join in; 0: they never do',
  },
  'direct.download.rate.limit': {
    ...directDownload,
    kind: 'number',
    default: 0,
    min: 0,
    max: fastest,
    description:
      'The most bytes per second of one transfer; 0: no limit. A change reaches running transfers within 5 s',
  },
  'direct.download.host.rate.limit': {
    ...directDownload,
    kind: 'number',
    default: 0,
    min: 0,
    max: fastest,
    description:
      'The most bytes per second of all transfers of a host together; 0: no limit. A change reaches running transfers with the host’s next heartbeat, within 5 s',
  },
  'direct.download.signature.keys': {
    ...directDownload,
    kind: 'text',
    default: '',
    problem: keysProblem,
    description:
      'Armoured OpenPGP public keys, one after the other: when there are any, images are accepted only from metalinks that carry a signature of one of them',
  },
} as const;

const armour = /-----BEGIN PGP PUBLIC KEY BLOCK-----[\s\S]*?-----END PGP PUBLIC KEY BLOCK-----/g;

/** The keys in a text. */
export function signatureKeysOf(text: string): string[] {
  return text.match(armour) ?? [];
}

function keysProblem(value: string): string | undefined {
  return value.replace(armour, '').trim() === ''
    ? undefined
    : 'must be armoured OpenPGP public keys (-----BEGIN PGP PUBLIC KEY BLOCK-----)';
}
