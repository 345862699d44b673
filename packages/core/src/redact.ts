/**
 * A URL fit for logs, errors and other tenants: no user information, no query values (presigned URLs carry their
 * secret there), no fragment. Text that is no URL loses what looks like these.
 */
export function redactUrl(text: string): string {
  let url: URL;
  try {
    url = new URL(text);
  } catch {
    return text.replace(/[?#].*$/s, '?…').replace(/\/\/[^/]*@/, '//***@');
  }
  const user = url.username || url.password ? '***@' : '';
  const query = url.search ? '?…' : '';
  return `${url.protocol}//${user}${url.host}${url.pathname}${query}`;
}
