import { type Output, printable } from './console.ts';
import { cut } from './table.ts';

/** The last lines of a terminal, rewritten in place, with whole lines scrolling above them. */
export interface LiveLine {
  /** Replaces the live lines. Does nothing where there is no terminal. */
  show(text: string | readonly string[]): void;
  /** Prints a line that stays, above the live one. */
  print(text: string): void;
  /** Takes the live line away. */
  clear(): void;
}

/** A live line on `output`; without a terminal only the lines that stay are printed. */
export function makeLiveLine(output: Output): LiveLine {
  let shown: readonly string[] = [];
  const erase = () => {
    if (shown.length > 0) output.write(`\r\u001b[2K${'\u001b[1A\u001b[2K'.repeat(shown.length - 1)}`);
  };
  return {
    show(text) {
      if (!output.isTty) return;
      // one place is left free: a full line would wrap, and the next rewrite would leave its beginning behind
      const width = Math.max(10, output.columns - 1);
      const lines = (typeof text === 'string' ? [text] : text).map((line) => cut(printable(line), width));
      if (lines.join('\n') === shown.join('\n')) return;
      erase();
      output.write(lines.join('\n'));
      shown = lines;
    },
    print(text) {
      erase();
      output.write(`${printable(text)}\n`);
      if (shown.length > 0) output.write(shown.join('\n'));
    },
    clear() {
      erase();
      shown = [];
    },
  };
}
