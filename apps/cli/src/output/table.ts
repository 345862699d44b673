import stringWidth from 'string-width';

export interface Table {
  readonly columns: readonly string[];
  readonly rows: readonly (readonly string[])[];
  /** Columns whose cells are numbers: they end in line. */
  readonly numeric?: ReadonlySet<number>;
  /** Columns of sentences, whose beginning is worth having. */
  readonly prose?: ReadonlySet<number>;
  /** Columns that are never cut. */
  readonly whole?: ReadonlySet<number>;
}

const gap = '  ';
const narrowest = 8;
/** A cell of this width can still be told from the next: an address fits, and most names. */
const readable = 16;

/** The width below which a table would be cut to crumbs. */
export function readableWidth(table: Table): number {
  const widths = widthsOf(table).map((size, column) => {
    if (table.whole?.has(column)) return size;
    return Math.min(size, table.prose?.has(column) ? narrowest : readable);
  });
  return widths.reduce((sum, size) => sum + size, gap.length * (widths.length - 1));
}

function widthsOf(table: Table): number[] {
  const lines = [table.columns, ...table.rows];
  return table.columns.map((_, column) => Math.max(...lines.map((line) => stringWidth(line[column] ?? ''))));
}

/**
 * Lines up cells by the width that they have on a screen. With a width, the widest columns are cut, with `…`, until the
 * table fits or nothing wide is left.
 */
export function formatTable(table: Table, width = Number.POSITIVE_INFINITY): string {
  const header = table.columns.map((column) => column.toUpperCase());
  const lines = [header, ...table.rows];
  const widths = widthsOf(table);
  shrink(widths, width - gap.length * (widths.length - 1), table.whole ?? new Set());
  return lines
    .map((line) =>
      widths
        .map((size, column) => {
          const cell = cut(line[column] ?? '', size);
          const padding = ' '.repeat(size - stringWidth(cell));
          return table.numeric?.has(column) ? `${padding}${cell}` : `${cell}${padding}`;
        })
        .join(gap)
        .trimEnd(),
    )
    .map((line) => `${line}\n`)
    .join('');
}

/** Takes from the widest first, and only when all of them are narrow from those that should stay whole. */
function shrink(widths: number[], available: number, whole: ReadonlySet<number>): void {
  const columns = [...widths.keys()];
  const rest = columns.filter((column) => !whole.has(column));
  let surplus = widths.reduce((sum, size) => sum + size, 0) - available;
  while (surplus > 0) {
    const widest = Math.max(...rest.map((column) => widths[column]!));
    // a table that is too wide all the same is broken by the terminal: worse to look at, but nothing is lost
    if (widest <= narrowest) return;
    const column = rest.findLast((candidate) => widths[candidate] === widest)!;
    const others = rest.map((candidate) => widths[candidate]!).filter((size) => size < widest);
    const step = Math.min(surplus, Math.max(1, widest - Math.max(narrowest, ...others)));
    widths[column] = widest - step;
    surplus -= step;
  }
}

/** The beginning of a text that fits the width, its last place taken by `…` when something was cut. */
export function cut(text: string, width: number): string {
  if (stringWidth(text) <= width) return text;
  let kept = '';
  let used = 0;
  for (const { segment } of new Intl.Segmenter().segment(text)) {
    const size = stringWidth(segment);
    if (used + size > width - 1) break;
    kept += segment;
    used += size;
  }
  return `${kept}…`;
}
