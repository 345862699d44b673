import type { Digest, Logger } from '@millrace/core';
import type { SlabMemories } from './memory/slab-pool.ts';

/** The engine's contract: what it is asked, what it reports, how it fails. */

/** What is stored. */
export type ImageFormat = 'qcow2' | 'raw' | 'iso';
/** What is accepted besides and converted to what is stored. */
export type ForeignFormat = 'vmdk' | 'vhd' | 'vhdx';
/** The outermost packing of the transferred bytes. */
export type Compression = 'none' | 'gzip' | 'bzip2' | 'xz' | 'zstd' | 'zip' | 'tar';

export type ImagePhase =
  | 'planning'
  | 'transferring'
  | 'verifying'
  | 'unpacking'
  | 'inspecting'
  | 'converting'
  | 'committing'
  | 'committed';

/** What may be connected to. `undefined` where a policy is optional means: everything (an operator's own command line). */
export interface EgressPolicy {
  /** CIDRs inside the blocked ranges (loopback, link-local, private, metadata, multicast, …) that are allowed all the same. */
  readonly allowedCidrs: readonly string[];
}

export interface FetchLimits {
  readonly connectTimeoutMs: number;
  /** No byte for this long ends the transfer from a source. */
  readonly stallTimeoutMs: number;
  readonly checksumAttempts: number;
  readonly maxRedirects: number;
  readonly maxVirtualSizeBytes: number;
  /** Bound on transferred and, separately, on unpacked bytes. */
  readonly maxTransferBytes: number;
  readonly sourceOrder: 'priority' | 'location';
  /** Sources of one rank that are used at the same time. Default 4. */
  readonly maxSources?: number | undefined;
  /** Connections to one source, as far as a further one raises the rate. Default 4; a metalink may say less. */
  readonly maxConnectionsPerSource?: number | undefined;
  /** Sources of a lower rank join in when the better ones together stay under this. Default: they never do. */
  readonly minBytesPerSecond?: number | undefined;
}

/** How an `s3://bucket/key` URL is reached. */
export interface S3Access {
  /** `https://host[:port]`; path-style requests. */
  readonly endpoint: string;
  readonly region: string;
  readonly accessKeyId: string;
  readonly secretAccessKey: string;
  readonly sessionToken?: string | undefined;
}

export interface ImageRequest {
  /** An image or a metalink (told apart by content, never by suffix). */
  readonly url: string;
  readonly headers: Readonly<Record<string, string>>;
  /** The format the image must have; `undefined`: whatever inspection finds and accepts. */
  readonly format: ImageFormat | ForeignFormat | undefined;
  /** What the pool stores: `raw` maps or converts every image to it; otherwise foreign formats become qcow2. */
  readonly storeFormat?: 'qcow2' | 'raw' | undefined;
  readonly expectedDigest: Digest | undefined;
  /** The file wanted of a metalink with several; without it the one whose name fits the URL. */
  readonly wantedFile?: string | undefined;
  /** PEM certificates that https sources may be signed by, besides the system's. Host names are verified in any case. */
  readonly extraCa?: readonly string[] | undefined;
  /** Armoured OpenPGP public keys: when there are any, a metalink must carry a signature that one of them verifies. */
  readonly signatureKeys?: readonly string[] | undefined;
  readonly s3?: S3Access | undefined;
  /** Labels of the fetching host, nearest first. */
  readonly location: readonly string[];
  readonly limits: FetchLimits;
  readonly egress: EgressPolicy | undefined;
}

export interface SourceAttempt {
  /** Redacted. */
  readonly url: string;
  readonly sourceRank: number;
  readonly location?: string;
  readonly checksumAttempt: number;
  readonly tryNumber: number;
  readonly state: 'running' | 'succeeded' | 'failed';
  readonly bytes: number;
  readonly totalBytes?: number;
  readonly bytesPerSecond: number;
  readonly durationMs: number;
  readonly reason?: string;
  readonly message?: string;
  /** `{ALG}hex` of the bytes received, when all of them arrived and they were not the expected ones. */
  readonly checksum?: string;
  readonly next?: 'same-source' | 'next-source' | 'next-checksum-attempt' | 'next-host' | 'stop' | 'done';
}

/** Reported at most a few times a second, and on every change of phase or attempt. */
export interface ImageProgress {
  readonly phase: ImagePhase;
  readonly url?: string;
  readonly bytes: number;
  readonly totalBytes?: number;
  readonly bytesPerSecond: number;
  readonly etaSeconds?: number;
  readonly attempts: readonly SourceAttempt[];
}

export interface FetchedImage {
  readonly format: ImageFormat;
  readonly compression: Compression;
  /** The format of the fetched image where another one was stored. */
  readonly convertedFrom?: ForeignFormat | 'qcow2';
  /** Size of the committed file. */
  readonly sizeBytes: number;
  readonly virtualSizeBytes: number;
  /** Bytes moved over the network by this fetch: less than the file where an interrupted one was resumed. */
  readonly transferredBytes: number;
  /** Bytes an interrupted fetch had left, kept after they were verified again. */
  readonly resumedBytes?: number;
  /** `pieces`: every piece had the digest that a trusted metalink gives it, and `digest` is the metalink's own. */
  readonly verifiedBy?: 'digest' | 'pieces' | 'nothing';
  /** Digest of the transferred bytes: by the expected algorithm, SHA-256 when none was expected. */
  readonly digest: Digest;
  readonly attempts: readonly SourceAttempt[];
  readonly warnings: readonly string[];
  readonly phaseMs: Readonly<Record<string, number>>;
}

/**
 * Where an image is put. Bytes go to a place nobody looks at; `commit` makes the whole image visible at once.
 * Contract suite: test/contracts/image-sink.ts.
 */
export interface ImageSink {
  /**
   * Starts anew, discarding what an earlier attempt wrote, unless that can be gone on with: see `resume`. Rejects with
   * POOL_FULL right away when the image cannot fit.
   */
  open(signal: AbortSignal, expected?: ExpectedImage): Promise<OpenImage>;
  /** A further hidden place beside the image, for what is never committed. `undefined` where there is none. */
  readonly aside?: (purpose: string) => ImageSink;
}

export interface ExpectedImage {
  /** What is going to be written, when that is known. */
  readonly sizeBytes?: number;
  /** Space that this takes. Default: `sizeBytes`. */
  readonly neededBytes?: number;
  /**
   * What an interrupted writing must have been about for its segments to be kept, and how it is cut into segments. The
   * same words are written down for the next time.
   */
  readonly resume?: { readonly identity: string; readonly segmentBytes: number };
}

/** What the paths that a converter is given lead to: files, or sockets of NBD servers that each serve one client. */
export type ConversionPlaces = 'files' | 'nbd-sockets';

export interface ImageConverter {
  convert(from: string, to: string, places: ConversionPlaces): Promise<void>;
  /** How large the result is going to be, for places that are made before it is written. */
  resultBytes(from: string, places: ConversionPlaces): Promise<number>;
}

export interface OpenImage {
  /** Segments an interrupted writing left, by number. What they hold has to be verified like anything else. */
  readonly kept: readonly number[];
  /**
   * Writes at a position, anywhere. Slabs at positions of whole pages go to the disk without a copy. Blocks of zeros are
   * left out where nothing was written before, which `overwrite` contradicts.
   * Rejects with POOL_FULL when the space is used up.
   */
  write(position: number, bytes: Buffer, options?: { readonly overwrite?: boolean }): Promise<void>;
  /** Notes that a segment is written and may be kept by a later `open`. */
  note(segment: number): Promise<void>;
  /** Whether so many bytes more fit, now. */
  hasRoomFor(bytes: number): Promise<boolean>;
  /** Reads back what was written; fewer bytes only at the end of it. */
  read(position: number, length: number): Promise<Buffer>;
  /** The same, into memory that is there. */
  readInto(position: number, target: Buffer): Promise<void>;
  /** Up to where something was written, or what `setSize` said. */
  readonly sizeBytes: number;
  /** The image has this size: what is not written reads as zeros, what is written beyond is not of it. */
  setSize(bytes: number): void;
  /** Hands what was written and a new hidden place to a converter; what it wrote takes the place of what was there. */
  convert(converter: ImageConverter): Promise<void>;
  /** Syncs the data, checks the size, renames to the final name, syncs the directory: in this order. */
  commit(expectedSizeBytes: number): Promise<void>;
  /** Removes every trace. Safe to call after commit or suspend, when it does nothing. */
  abort(): Promise<void>;
  /** Leaves what can be gone on with for a later `open`. @returns how many bytes that are; 0: nothing was left */
  suspend(): Promise<number>;
}

/** Holds a transfer back. `take` resolves when that many bytes may be read; rejects with the signal's reason. */
export interface RateLimit {
  take(bytes: number, signal: AbortSignal): Promise<void>;
}

export interface EngineOptions {
  readonly signal: AbortSignal;
  readonly log: Logger;
  readonly rateLimit?: RateLimit;
  /** Memory that transfers hand on to each other. Default: each has its own, and it goes when the garbage is collected. */
  readonly memories?: SlabMemories;
  /**
   * True: a fetch that was interrupted, or for which no source is left, leaves what it has for the next one. False: nothing
   * is left, and nothing that was left is used. Default: nothing is left but by the death of the process.
   */
  readonly keepPartial?: boolean;
  readonly onProgress?: (progress: ImageProgress) => void;
}

export interface SourceProbe {
  readonly url: string;
  readonly location?: string;
  readonly priority?: number;
  readonly usable: boolean;
  readonly reason?: string;
  readonly message?: string;
  readonly sizeBytes?: number;
}

export interface ImageProbe {
  readonly usable: boolean;
  readonly metalink: boolean;
  readonly sources: readonly SourceProbe[];
  /** Set when the bytes themselves are refused (backing file, wrong format, …): final. */
  readonly refusal?: { readonly code: string; readonly message: string };
  readonly format?: ImageFormat | ForeignFormat;
  readonly compression?: Compression;
  readonly virtualSizeBytes?: number;
  readonly transferBytes?: number;
  readonly expectedDigest?: Digest;
  readonly warnings: readonly string[];
}
