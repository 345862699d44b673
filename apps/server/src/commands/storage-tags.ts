import { invalidParameter } from '@millrace/api';

/** Tags as they are kept: a comma list, or nothing. @throws ApiError 431 */
export function tagList(param: string, tags: readonly string[]): string | null {
  const given = tags.map((tag) => tag.trim()).filter((tag) => tag !== '');
  const bad = given.find((tag) => !/^[\w.:-]{1,64}$/.test(tag));
  if (bad !== undefined) {
    throw invalidParameter(param, `${bad.slice(0, 40)} is no tag: letters, digits, and _ . : - make one`);
  }
  return given.length === 0 ? null : [...new Set(given)].join(',');
}
