const limit = 50;

/** Collects warnings up to a bound: a hostile document must not turn into an endless report. */
export interface Warnings {
  add(text: string): void;
  list(): readonly string[];
}

export function makeWarnings(): Warnings {
  const texts: string[] = [];
  let dropped = 0;
  return {
    add(text) {
      if (texts.length < limit) texts.push(text);
      else dropped += 1;
    },
    list: () => (dropped === 0 ? [...texts] : [...texts, `and ${dropped} more`]),
  };
}
