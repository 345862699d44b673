import { createHmac } from 'node:crypto';

/** Parameters of a call; `undefined` ones are not sent, an empty string is. */
export type ApiParams = Readonly<Record<string, string | number | boolean | undefined>>;

/** How long a signature is good for: long enough for skewed clocks, short enough that a copied URL soon is worthless. */
const validForMs = 10 * 60 * 1000;

/**
 * Encodes a value as CloudStack's reference client (Java's URLEncoder, with `%20` for a space) does: letters, digits and
 * `. - * _` stay. The signature is made over exactly this text.
 */
export function encodeValue(value: string): string {
  return encodeURIComponent(value).replaceAll(
    /[!'()~]/g,
    (character) => `%${character.charCodeAt(0).toString(16).toUpperCase()}`,
  );
}

/**
 * CloudStack's signature: parameters sorted by name as written, joined as `name=encoded-value`, the whole lower-cased,
 * HMAC-SHA1 with the secret key, Base64. A parameter `signature` is left out.
 */
export function signRequest(params: Readonly<Record<string, string>>, secretKey: string): string {
  const text = Object.keys(params)
    .filter((name) => name.toLowerCase() !== 'signature')
    .sort()
    .map((name) => `${name}=${encodeValue(params[name] ?? '')}`)
    .join('&')
    .toLowerCase();
  return createHmac('sha1', secretKey).update(text).digest('base64');
}

/**
 * The query of a signed call, ready to be put after `?` or into a form body. Adds `apiKey`, `response=json`, and version
 * 3 of the signature with its expiry, unless `params` already has them.
 * @param now milliseconds since the epoch, from which the signature is good for ten minutes
 */
export function signedQuery(params: ApiParams, apiKey: string, secretKey: string, now = Date.now()): string {
  const expires = `${new Date(now + validForMs).toISOString().slice(0, 19)}+0000`;
  const all = {
    response: 'json',
    signatureVersion: '3',
    expires,
    ...definedText(params),
    apiKey,
  };
  return formOf({ ...all, signature: signRequest(all, secretKey) });
}

/** `name=value&…`, encoded. */
export function formOf(params: ApiParams): string {
  return Object.entries(definedText(params))
    .map(([name, value]) => `${encodeValue(name)}=${encodeValue(value)}`)
    .join('&');
}

function definedText(params: ApiParams): Record<string, string> {
  const text: Record<string, string> = {};
  for (const [name, value] of Object.entries(params)) if (value !== undefined) text[name] = String(value);
  return text;
}
