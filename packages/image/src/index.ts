export {
  type FetchErrorCode,
  type FetchErrorRow,
  FetchFailure,
  FetchFault,
  fetchErrors,
  isFetchErrorCode,
  type Outcome,
} from './errors.ts';
export { type Decision, nextAfterFailure, type Situation } from './failure-policy.ts';
export { fetchImage } from './fetch-image.ts';
export { type ChecksumRequest, type FoundChecksum, findChecksum } from './find-checksum.ts';
export { makeSlabMemories, type SlabMemories } from './memory/slab-pool.ts';
export { type ProbeOptions, probeImage } from './probe-image.ts';
export {
  makeRateLimiter,
  type RateLimiter,
  type RateLimiterOptions,
  type TransferPriority,
  type TransferRate,
} from './rate-limit.ts';
export { type RbdImages, type RbdSpace, rbdImages, removeStaleRbdPartials } from './rbd/rbd-images.ts';
export { type RbdPool, requireRbdPool } from './rbd/rbd-pool.ts';
export { type RbdCommitStep, type RbdSinkOptions, rbdSink } from './rbd/rbd-sink.ts';
export { type CommitStep, type DirectorySinkOptions, directorySink } from './sink/directory-sink.ts';
export { partialPath } from './sink/partial-name.ts';
export { makeSpaceLedger, type SpaceLedger } from './sink/space.ts';
export {
  type AbandonedPartialOptions,
  removeAbandonedPartials,
  removeStalePartials,
  type StalePartialOptions,
} from './sink/stale-partials.ts';
export { checkCaPem } from './source/trusted-certificates.ts';
export * from './types.ts';
