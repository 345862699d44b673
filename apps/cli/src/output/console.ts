/** Somewhere to print to. */
export interface Output {
  write(text: string): void;
  readonly isTty: boolean;
  /** Width of the terminal; changes with its window. */
  readonly columns: number;
}

/** Results go to `stdout`; progress, warnings and errors to `stderr`, so that results can be piped. */
export interface Console {
  readonly stdout: Output;
  readonly stderr: Output;
}

/**
 * Text fit for a terminal: one line, without control characters. Names and messages come from tenants, hosts and web
 * servers, and an escape sequence in one must not move the cursor or retitle the operator's window.
 */
export function printable(text: string): string {
  return text
    .replaceAll(/[\t\n\r]+/g, ' ')
    .replaceAll(/[\u0000-\u001f\u007f-\u009f\u2028-\u202e\u2066-\u2069]/g, '�');
}

/** As `printable`, but line breaks stay. */
export function printableLines(text: string): string {
  return text.split(/\r?\n/).map(printable).join('\n');
}
