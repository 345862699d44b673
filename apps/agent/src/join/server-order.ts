/** Where a host begins is left to chance: a rack that is switched on spreads over the servers. */
export function firstServer(options: {
  readonly serverUrls: readonly string[];
  readonly random: () => number;
}): number {
  return Math.floor(options.random() * options.serverUrls.length);
}

/** Counts round the list for ever. */
export function serverAt(serverUrls: readonly string[], index: number): string {
  const url = serverUrls[index % serverUrls.length];
  if (url === undefined) throw new Error('a bug: the list of servers is empty');
  return url;
}
