import type { Warnings } from './warnings.ts';

/** One link of a `Link` header (RFC 8288). */
export interface Link {
  /** As written: it may be relative. */
  readonly target: string;
  /** Lower-case. */
  readonly relations: ReadonlySet<string>;
  /** Names in lower case; the first of several with one name counts. */
  readonly parameters: ReadonlyMap<string, string>;
}

const mostLinks = 500;
const mostParameters = 32;
// a quoted value may hold commas and semicolons: the header cannot be split at them
const parameterPattern = /\s*;\s*([^\s=;,"<>]*)\s*(?:=\s*(?:"((?:[^"\\]|\\.)*)"|([^\s;,"]*)))?/sy;

/** Reads the links of a header. What is malformed is skipped up to the next comma, with a reason. */
export function readLinks(header: string, warnings: Warnings): readonly Link[] {
  const links: Link[] = [];
  let position = 0;
  for (let count = 0; ; count++) {
    while (position < header.length && /[\s,]/.test(header[position]!)) position += 1;
    if (position >= header.length) return links;
    if (count >= mostLinks) {
      warnings.add(`links ignored: only the first ${mostLinks} are read`);
      return links;
    }
    const end = header[position] === '<' ? header.indexOf('>', position) : -1;
    if (end === -1) {
      warnings.add('link ignored: it does not begin with a target like <URL>');
      const comma = header.indexOf(',', position);
      position = comma === -1 ? header.length : comma;
      continue;
    }
    const target = header.slice(position + 1, end).trim();
    const read = readParameters(header, end + 1);
    position = read.end;
    const relations = (read.parameters.get('rel') ?? '').toLowerCase().split(/\s+/);
    links.push({ target, relations: new Set(relations), parameters: read.parameters });
    // what follows belongs to no parameter: the link is taken as far as it was understood
    const rest = /[^,]*/y;
    rest.lastIndex = position;
    const left = rest.exec(header)?.[0] ?? '';
    if (left.trim() !== '') warnings.add('the end of a link ignored: it is no parameter');
    position += left.length;
  }
}

function readParameters(header: string, start: number): { end: number; parameters: Map<string, string> } {
  const parameters = new Map<string, string>();
  let end = start;
  for (let count = 0; count < mostParameters; count++) {
    parameterPattern.lastIndex = end;
    const match = parameterPattern.exec(header);
    if (!match) break;
    end = parameterPattern.lastIndex;
    const name = match[1]!.toLowerCase();
    const value = match[2]?.replaceAll(/\\(.)/gs, '$1') ?? match[3] ?? '';
    if (name !== '' && !parameters.has(name)) parameters.set(name, value);
  }
  return { end, parameters };
}
