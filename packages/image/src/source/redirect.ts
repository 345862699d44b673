import { FetchFault } from '../errors.ts';

/** One request to be sent. Headers hold the caller's own ones, which are secrets of the origin they were given for. */
export interface Hop {
  readonly url: URL;
  readonly headers: Readonly<Record<string, string>>;
}

/**
 * The first hop: user information becomes an Authorization header, so that it is nowhere in a URL that is logged,
 * compared or sent.
 * @throws FetchFault `REQUEST_MALFORMED`, `SCHEME_REFUSED`.
 */
export function firstHop(url: string, headers: Readonly<Record<string, string>>): Hop {
  if (!URL.canParse(url)) throw new FetchFault('REQUEST_MALFORMED', 'the URL is not an absolute URL');
  // one spelling, so that a header given replaces the engine's own instead of being sent beside it
  const named = Object.entries(headers).map(([name, value]) => [name.toLowerCase(), value] as const);
  return hopTo(new URL(url), Object.fromEntries(named));
}

/** The hop a redirect leads to. Headers are kept within the same origin and dropped on the way to any other. */
export function nextHop(from: Hop, location: string | undefined): Hop {
  if (location === undefined || !URL.canParse(location, from.url.href)) {
    throw new FetchFault('HTTP_UNEXPECTED', 'a redirect that does not say where to');
  }
  const url = new URL(location, from.url);
  return hopTo(url, url.origin === from.url.origin ? from.headers : {});
}

function hopTo(url: URL, headers: Readonly<Record<string, string>>): Hop {
  if (url.protocol !== 'http:' && url.protocol !== 'https:') {
    throw new FetchFault('SCHEME_REFUSED', url.protocol.replace(/:$/, ''));
  }
  if (url.username === '' && url.password === '') return { url, headers };
  const bare = new URL(url);
  bare.username = '';
  bare.password = '';
  const user = decodeUserInfo(url.username);
  const password = decodeUserInfo(url.password);
  if (Object.hasOwn(headers, 'authorization')) return { url: bare, headers };
  const basic = Buffer.from(`${user}:${password}`).toString('base64');
  return { url: bare, headers: { ...headers, authorization: `Basic ${basic}` } };
}

function decodeUserInfo(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    // a stray % is a character like any other in a password that nobody encoded
    return text;
  }
}
