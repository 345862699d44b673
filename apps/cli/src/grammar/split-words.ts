/** A typed line as words, and how it ends: completion needs to know what the cursor stands in. */
export interface SplitLine {
  /** Words with their quotes taken off. The last one is the word under the cursor, `''` after a space. */
  readonly words: readonly string[];
  /** The quote that was never closed. */
  readonly openQuote?: '"' | "'";
}

/**
 * Splits a line as a shell does, without expanding anything: blanks part words, `'…'` is literal, `"…"` knows `\"` and
 * `\\`, a backslash outside quotes takes the next character as it is.
 */
export function splitLine(line: string): SplitLine {
  const words: string[] = [];
  let word = '';
  let started = false;
  let quote: '"' | "'" | undefined;
  for (let position = 0; position < line.length; position++) {
    const character = line[position]!;
    const next = line[position + 1];
    if (quote === "'") {
      if (character === "'") quote = undefined;
      else word += character;
    } else if (quote === '"') {
      if (character === '"') quote = undefined;
      else if (character === '\\' && (next === '"' || next === '\\')) {
        word += next;
        position++;
      } else word += character;
    } else if (character === '"' || character === "'") {
      quote = character;
      started = true;
    } else if (character === '\\' && next !== undefined) {
      word += next;
      started = true;
      position++;
    } else if (/\s/.test(character)) {
      if (started) words.push(word);
      word = '';
      started = false;
    } else {
      word += character;
      started = true;
    }
  }
  words.push(word);
  return quote === undefined ? { words } : { words, openQuote: quote };
}

/** The words of a whole line: without the empty one that stands after a trailing blank. */
export function wordsOf(line: string): { words: string[]; openQuote?: '"' | "'" } {
  const { words, openQuote } = splitLine(`${line} `);
  return { words: words.slice(0, -1), ...(openQuote ? { openQuote } : {}) };
}
