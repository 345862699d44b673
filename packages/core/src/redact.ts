/**
 * A URL fit for logs, errors and other tenants: no user information, no query values (presigned URLs carry their
 * secret there), no fragment. Text that is no URL is returned without anything after `?`.
 */
export function redactUrl(text: string): string {
  let url: URL;
  try {
    url = new URL(text);
  } catch {
    return text.replace(/[?#].*$/s, '?…');
  }
  const user = url.username || url.password ? '***@' : '';
  const query = url.search ? '?…' : '';
  return `${url.protocol}//${user}${url.host}${url.pathname}${query}`;
}
