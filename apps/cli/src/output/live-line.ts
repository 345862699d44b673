import { type Output, printable } from './console.ts';
import { cut } from './table.ts';

/** The last line of a terminal, rewritten in place, with whole lines scrolling above it. */
export interface LiveLine {
  /** Replaces the live line. Does nothing where there is no terminal. */
  show(text: string): void;
  /** Prints a line that stays, above the live one. */
  print(text: string): void;
  /** Takes the live line away. */
  clear(): void;
}

/** A live line on `output`; without a terminal only the lines that stay are printed. */
export function makeLiveLine(output: Output): LiveLine {
  let shown = '';
  const erase = () => {
    if (shown !== '') output.write('\r\u001b[2K');
  };
  return {
    show(text) {
      if (!output.isTty) return;
      // one place is left free: a full line would wrap, and the next rewrite would leave its beginning behind
      const line = cut(printable(text), Math.max(10, output.columns - 1));
      if (line === shown) return;
      erase();
      output.write(line);
      shown = line;
    },
    print(text) {
      erase();
      output.write(`${printable(text)}\n`);
      if (shown !== '') output.write(shown);
    },
    clear() {
      erase();
      shown = '';
    },
  };
}
