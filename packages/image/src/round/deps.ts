import type { Course, Spot } from '../course.ts';
import type { FetchFault } from '../errors.ts';
import type { Situation } from '../failure-policy.ts';
import type { AttemptRecord, Journal } from '../journal.ts';
import type { FetchPlan } from '../plan.ts';
import type { SourceClient } from '../source/source-client.ts';
import type { EngineOptions, ImageRequest, ImageSink } from '../types.ts';

/** What one round, from the first source to the commit, works with. */
export interface RoundDeps {
  readonly request: ImageRequest;
  readonly sink: ImageSink;
  readonly client: SourceClient;
  readonly journal: Journal;
  readonly options: EngineOptions;
  readonly plan: FetchPlan;
  readonly course: Course;
  readonly notes: FetchNotes;
}

/** What one round finds out for the next one. */
export interface FetchNotes {
  /** An archive in an archive: it has to be taken apart here, which is slower than a program alone. */
  archiveInside: boolean;
  /** Bytes that were left for a later fetch. */
  leftBytes: number;
}

/** What a program unpacks is an archive again. */
export class ArchiveInside extends Error {}

/** A try at a source that is under way. */
export interface Trying {
  readonly spot: Spot;
  readonly record: AttemptRecord;
}

/** What is known of the bytes of a round, also after a failure. */
export interface RoundFacts {
  digestState: Situation['digest'];
}

/** The round cannot go on with what it has: what was fetched counts for nothing, and another one is begun. */
export class BeginAgain extends Error {
  constructor(fault: FetchFault) {
    super('the transfer begins anew', { cause: fault });
  }
}
