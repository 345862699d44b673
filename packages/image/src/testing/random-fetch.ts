import fc from 'fast-check';

/** What a fetch of the property test is about, chosen at random. */
export interface RandomFetch {
  readonly seed: number;
  readonly sizeBytes: number;
  readonly kind: 'raw' | 'qcow2';
  readonly packing: 'none' | 'gzip' | 'zstd';
  readonly known: 'digest' | 'pieces' | 'nothing';
  readonly pieceBytes: number;
  /** Path segment and query of each mirror; the last one of all, which is correct, is not among them. */
  readonly mirrors: readonly string[];
  readonly alike: boolean;
  /** The fetch is stopped when so much of the image has been sent in all, and begun again. */
  readonly stops: readonly number[];
  readonly keepPartial: boolean;
  /** Of the server; `undefined`: as fast as it goes. */
  readonly bytesPerSecond: number | undefined;
}

/** Mirrors whose bytes are the image's, as far as they get. */
const honest = [
  'ok',
  'ok?validator=none',
  'ok?validator=weak',
  'ok?validator=date',
  'ok?rate=3000000',
  'no-range',
  'no-range-after-2',
  'chunked',
  'until-close',
  'http-1.0',
  'no-keep-alive',
  'drops-keep-alive',
  'range-capped?bytes=300000',
  'range-chunked',
  'range-total-unknown',
  'etag-each',
  'redirect',
  'redirect-expiring?uses=5',
  '404',
  '416',
  '500',
  '500-then-ok',
  '403-after-2',
  '500-after-3',
  '503-retry-after?seconds=0',
  'busy-every-other',
  'at-most-1',
  'close',
  'close-after-2',
  'hang-after-2',
  'not-http-after-2',
  'reset-at-30',
  'reset-at-70',
  'reset-once-at-50',
  'close-at-60',
  'stall-once-at-40',
  'stall-at-80',
  'reset-each?bytes=700000',
  'close-each?bytes=400000',
  'reset-chance-30?bytes=200000',
  'no-content-range',
  'range-start-wrong',
  'range-total-wrong',
  'range-short',
  'range-long',
  'range-unbounded',
  'multipart',
  'gzip-ranges',
  'length-too-small',
  'length-too-large',
  'unsolicited-bytes',
  'header-flood',
  'short',
  'web-page',
];

/** Those that become another version, and say so to whoever listens. */
const republishing = [
  'changes-after-1',
  'changes-after-3',
  'changes-unhonoured-after-2',
  'changes-unmarked-after-2',
  'changes-unhonoured-after-2?validator=date',
  'other-file',
];

/** Those whose bytes are wrong, while every head is right. */
const lying = [
  'corrupt',
  'corrupt-ranges',
  'corrupt-every-5?piece=131072',
  'other-file',
  'other-file-ranges',
  'range-shifted',
  'range-from-zero',
  'unsolicited-answer',
  'changes-silently-after-2',
  'changes-after-2',
  'grows-after-2',
  'long',
  'short-declared',
];

const sizes = fc.oneof(
  fc.constantFrom(0, 1, 511, 4095, 4096, 4097, 65_535, 65_536, 65_537),
  fc.integer({ min: 1, max: 600_000 }),
  fc.integer({ min: 1_000_000, max: 7_000_000 }),
  fc.integer({ min: 1_000_000, max: 7_000_000 }),
);

/** So that no more than one mirror lies where only a digest of the whole can tell: attempts are few. */
const mirrorsByKnowledge = {
  nothing: fc.array(fc.constantFrom(...honest, ...republishing), { maxLength: 3 }),
  pieces: fc.array(fc.oneof(fc.constantFrom(...honest), fc.constantFrom(...lying)), { maxLength: 4 }),
  digest: fc
    .tuple(
      fc.array(fc.constantFrom(...honest), { maxLength: 3 }),
      fc.option(fc.tuple(fc.constantFrom(...lying), fc.nat(3)), { nil: undefined }),
    )
    .map(([mirrors, liar]) => (liar ? mirrors.toSpliced(liar[1], 0, liar[0]) : mirrors)),
};

export const randomFetch: fc.Arbitrary<RandomFetch> = fc
  .constantFrom('digest' as const, 'pieces' as const, 'nothing' as const)
  .chain((known) =>
    fc.record({
      seed: fc.nat(),
      sizeBytes: sizes,
      kind: fc.constantFrom('raw' as const, 'raw' as const, 'qcow2' as const),
      packing:
        known === 'nothing'
          ? fc.constant('none' as const)
          : fc.constantFrom(
              'none' as const,
              'none' as const,
              'none' as const,
              'gzip' as const,
              'zstd' as const,
            ),
      known: fc.constant(known),
      pieceBytes: fc.constantFrom(20 * 1024, 64 * 1024, 256 * 1024, 1024 * 1024),
      mirrors: mirrorsByKnowledge[known],
      alike: fc.boolean(),
      stops: fc.array(fc.double({ min: 0, max: 1.1, noNaN: true }), { maxLength: 2 }),
      keepPartial: fc.boolean(),
      bytesPerSecond: fc.constantFrom(undefined, undefined, 20_000_000),
    }),
  );
