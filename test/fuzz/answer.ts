import { FetchFault } from '../../packages/image/src/errors.ts';

/** What a parser says, without numbers and quotations, of which there are too many: the same words, the same way in. */
function wordsOf(fault: FetchFault): string {
  return `${fault.code} ${fault.message}`
    .replaceAll(/"(?:[^"\\]|\\.)*"?|0x[0-9a-f]+|[0-9a-f]{16,}|\d+/g, '#')
    .slice(0, 200);
}

/** The answer of a parser that refuses by throwing. Everything else that it throws is a bug and goes on. */
export async function answerOf(parse: () => string | Promise<string>): Promise<string> {
  try {
    return await parse();
  } catch (error) {
    if (error instanceof FetchFault) return wordsOf(error);
    throw error;
  }
}
