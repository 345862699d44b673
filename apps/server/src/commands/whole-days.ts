const dayMs = 24 * 3600 * 1000;

/** The end of a span of time: a date without a time means the whole day. */
export function endOfSpan(date: Date | undefined): Date | undefined {
  return date && date.getTime() % dayMs === 0 ? new Date(date.getTime() + dayMs - 1) : date;
}
