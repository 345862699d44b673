import { makeRandom, mutate } from './mutate.ts';
import type { FuzzTarget } from './target.ts';

/** Inputs beyond the first ones that are kept for their new answers. */
const mostKept = 2000;

export interface Campaign {
  /** The next input; the same ones in the same order for the same seed, as long as the target answers the same. */
  next(): Buffer;
  /** @returns true when the target has never answered so before */
  learn(bytes: Buffer, answer: string | undefined): boolean;
}

/** Mutates the inputs there are, and takes those into the circle that bring a new answer. */
export async function makeCampaign(
  target: FuzzTarget,
  corpus: readonly Buffer[],
  seed: number,
): Promise<Campaign> {
  const random = makeRandom(seed);
  const first = [...(await target.seeds()), ...corpus];
  if (first.length === 0) throw new Error(`${target.name} has no seeds`);
  const inputs = [...first];
  const answers = new Set<string>();
  const unchanged = first.values();
  return {
    next() {
      // all of them as they are, before any is changed
      const plain = unchanged.next();
      if (!plain.done) return Buffer.from(plain.value);
      const one = inputs[random.below(inputs.length)]!;
      return mutate(one, inputs[random.below(inputs.length)]!, random);
    },
    learn(bytes, answer) {
      if (answer === undefined || answers.has(answer)) return false;
      answers.add(answer);
      if (inputs.length < first.length + mostKept) inputs.push(Buffer.from(bytes));
      return true;
    },
  };
}
