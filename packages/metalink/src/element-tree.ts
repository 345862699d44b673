import { MillraceError } from '@millrace/core';
import { SaxesParser } from 'saxes';
import { metalinkError } from './errors.ts';

/** An element of the metalink's own namespace, or of none. */
export interface Element {
  readonly name: string;
  readonly attributes: ReadonlyMap<string, string>;
  readonly children: readonly Element[];
  /** The element's own text, trimmed; of `<url>`, `<hash>` and the like. */
  readonly text: string;
}

export const treeLimits = {
  bytes: 1024 * 1024,
  depth: 16,
  elements: 50_000,
  attributesPerElement: 32,
  textCharacters: 8192,
} as const;

const namespaces = new Set(['', 'urn:ietf:params:xml:ns:metalink', 'http://www.metalinker.org/']);

interface OpenElement {
  name: string;
  attributes: Map<string, string>;
  children: Element[];
  text: string;
  foreign: boolean;
}

/**
 * Reads XML into a small tree within fixed bounds. Elements of other namespaces are left out with all they hold. The
 * parser never resolves entities beyond the five of XML, and a DOCTYPE is refused before anything after it is read.
 * @throws MillraceError of `metalinkErrors`.
 */
export function readElementTree(text: string): Element {
  const open: OpenElement[] = [];
  let elements = 0;
  let attributes = 0;
  let root: Element | undefined;

  const parser = new SaxesParser({ xmlns: true, position: false });
  parser.on('error', (error) => {
    throw metalinkError('METALINK_MALFORMED', error.message, error);
  });
  parser.on('doctype', () => {
    throw metalinkError('METALINK_DOCTYPE', 'a DOCTYPE declaration');
  });
  parser.on('opentagstart', () => {
    attributes = 0;
    elements += 1;
    if (open.length >= treeLimits.depth) throw tooLarge(`elements nested deeper than ${treeLimits.depth}`);
    if (elements > treeLimits.elements) throw tooLarge(`more than ${treeLimits.elements} elements`);
  });
  parser.on('attribute', () => {
    attributes += 1;
    if (attributes > treeLimits.attributesPerElement) {
      throw tooLarge(`an element with more than ${treeLimits.attributesPerElement} attributes`);
    }
  });
  parser.on('opentag', (tag) => {
    const own = new Map<string, string>();
    for (const attribute of Object.values(tag.attributes)) {
      // attributes are written without a prefix in both versions; xml:lang and foreign ones do not concern us
      if (attribute.prefix === '') own.set(attribute.local, attribute.value);
    }
    const foreign = !namespaces.has(tag.uri) || (open.at(-1)?.foreign ?? false);
    open.push({ name: tag.local, attributes: own, children: [], text: '', foreign });
  });
  const onText = (part: string) => {
    const current = open.at(-1);
    // indentation is no text: a long, well laid out list of mirrors must not run into the limit below
    if (!current || current.foreign || part.trim() === '') return;
    if (current.text.length + part.length > treeLimits.textCharacters) {
      throw tooLarge(`more than ${treeLimits.textCharacters} characters in <${current.name}>`);
    }
    current.text += part;
  };
  parser.on('text', onText);
  parser.on('cdata', onText);
  parser.on('closetag', () => {
    const closed = open.pop();
    if (!closed || closed.foreign) return;
    const element: Element = { ...closed, text: closed.text.trim() };
    const parent = open.at(-1);
    if (parent) parent.children.push(element);
    else root = element;
  });

  runParser(parser, text);
  if (!root) throw metalinkError('METALINK_MALFORMED', 'no <metalink> element');
  return root;
}

function runParser(parser: SaxesParser<{ xmlns: true; position: false }>, text: string): void {
  try {
    parser.write(text).close();
  } catch (error) {
    if (error instanceof MillraceError) throw error;
    // some faults are thrown by the parser instead of being handed to its error handler
    throw metalinkError('METALINK_MALFORMED', error instanceof Error ? error.message : String(error), error);
  }
}

/** Turns bytes into text; metalinks are UTF-8. @throws MillraceError when too large or not UTF-8. */
export function decodeMetalinkText(source: string | Uint8Array): string {
  const size = typeof source === 'string' ? Buffer.byteLength(source) : source.byteLength;
  if (size > treeLimits.bytes) throw tooLarge(`${size} bytes, at most ${treeLimits.bytes} are read`);
  if (typeof source === 'string') return source;
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(source);
  } catch (error) {
    throw metalinkError('METALINK_MALFORMED', 'not UTF-8', error);
  }
}

export function tooLarge(found: string): MillraceError {
  return metalinkError('METALINK_TOO_LARGE', found);
}
