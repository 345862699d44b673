/** Domains' paths are kept as `/` and `/a/b/`; CloudStack shows them as `ROOT` and `ROOT/a/b`. */
export function displayedDomainPath(path: string): string {
  return path === '/' ? 'ROOT' : `ROOT${path.replace(/\/$/, '')}`;
}

/** The kept form of a path as people write it: `/`, `ROOT`, `a/b`, `/a/b/`, `ROOT/a/b`. */
export function keptDomainPath(text: string): string {
  const names = text.split('/').filter((name) => name !== '');
  if (names[0]?.toUpperCase() === 'ROOT') names.shift();
  return names.length === 0 ? '/' : `/${names.join('/')}/`;
}
