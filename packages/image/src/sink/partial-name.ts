import { join } from 'node:path';

export const partialPrefix = '.millrace-partial-';

/** Where an image is written until it is committed. */
export function partialPath(directory: string, fileName: string): string {
  return join(directory, `${partialPrefix}${fileName}`);
}

/** Where it is written down which parts of that are there. */
export function segmentLogPath(directory: string, fileName: string): string {
  return `${partialPath(directory, fileName)}${logSuffix}`;
}

export const logSuffix = '.segments';
