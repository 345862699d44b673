import { largestInputBytes } from './mutate.ts';

/** What the worker and whoever watches it have in common, as a worker that hangs cannot be asked anything. */
export interface SharedState {
  readonly memory: SharedArrayBuffer;
  /** How many inputs have been begun. */
  executions(): number;
  input(): Buffer;
  /** To be called by the worker before it runs an input. */
  begin(bytes: Buffer): void;
}

const numbers = 2;

export function sharedState(
  memory: SharedArrayBuffer = new SharedArrayBuffer(numbers * 4 + largestInputBytes),
): SharedState {
  const state = new Int32Array(memory, 0, numbers);
  const input = Buffer.from(memory, numbers * 4);
  return {
    memory,
    executions: () => Atomics.load(state, 0),
    input: () => Buffer.from(input.subarray(0, Atomics.load(state, 1))),
    begin(bytes) {
      bytes.copy(input);
      Atomics.store(state, 1, bytes.length);
      Atomics.add(state, 0, 1);
    },
  };
}
