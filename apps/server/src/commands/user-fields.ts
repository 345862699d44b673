import { invalidParameter } from '@millrace/api';

const leastPasswordCharacters = 8;

/** What people log in with, and accounts are called by. @throws ApiError 431 */
export function readUsername(text: string, param = 'username'): string {
  const name = text.trim();
  if (!/^[\p{L}\p{N}._@+-]{1,255}$/u.test(name))
    throw invalidParameter(param, 'must have 1 to 255 letters, digits and . _ @ + -');
  return name;
}

/** @throws ApiError 431 */
export function readPassword(text: string): string {
  if (text.length < leastPasswordCharacters)
    throw invalidParameter('password', `must have ${leastPasswordCharacters} characters or more`);
  return text;
}

/** A name or address as people write it, in one line. @throws ApiError 431 */
export function personName(param: string, text: string): string {
  if (/\p{Cc}/u.test(text)) throw invalidParameter(param, 'must not have control characters');
  return text.trim();
}
