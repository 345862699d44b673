import { MillraceError } from '@millrace/core';
import { SaxesParser, type SaxesTagNS } from 'saxes';
import { metalinkError } from './errors.ts';

/** An element of the metalink's own namespace, or of none. */
export interface Element {
  readonly name: string;
  readonly attributes: ReadonlyMap<string, string>;
  readonly children: readonly Element[];
  /** The element's own text, trimmed; of `<url>`, `<hash>` and the like. */
  readonly text: string;
}

/**
 * Sized by the largest metalink that is of use: an image of 1 TiB in pieces of 16 MiB has 65,536 piece digests, about 6 MB
 * of text. Whatever a document holds, these bounds keep reading it within about 120 MB of memory and two seconds of one core.
 */
export const treeLimits = {
  bytes: 8 * 1024 * 1024,
  depth: 16,
  elements: 110_000,
  /** `<` of elements, comments, instructions and CDATA; as many carriage returns. Counted before anything is parsed. */
  markup: 250_000,
  references: 50_000,
  attributesPerElement: 32,
  attributeCharacters: 8192,
  textCharacters: 8192,
} as const;

/** Most a reader of metalinks has to accept, in bytes; what is longer is refused unread. */
export const metalinkLimitBytes = treeLimits.bytes;

// nearly every element is a piece's <hash> without attributes or children: these are shared by all of them
const noAttributes: ReadonlyMap<string, string> = new Map();
const noChildren: readonly Element[] = [];

const namespaces = new Set(['', 'urn:ietf:params:xml:ns:metalink', 'http://www.metalinker.org/']);

interface OpenElement {
  name: string;
  attributes: ReadonlyMap<string, string>;
  children: Element[] | undefined;
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
  parser.on('attribute', ({ value }) => {
    attributes += 1;
    if (value.length > treeLimits.attributeCharacters) {
      throw tooLarge(`more than ${treeLimits.attributeCharacters} characters in an attribute`);
    }
    if (attributes > treeLimits.attributesPerElement) {
      throw tooLarge(`an element with more than ${treeLimits.attributesPerElement} attributes`);
    }
  });
  parser.on('opentag', (tag) => {
    const foreign = !namespaces.has(tag.uri) || (open.at(-1)?.foreign ?? false);
    open.push({ name: tag.local, attributes: ownAttributes(tag), children: undefined, text: '', foreign });
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
    const { name, attributes, children = noChildren } = closed;
    const element: Element = { name, attributes, children, text: closed.text.trim() };
    const parent = open.at(-1);
    if (!parent) root = element;
    else if (parent.children) parent.children.push(element);
    else parent.children = [element];
  });

  checkMarkup(text);
  runParser(parser, text);
  if (!root) throw metalinkError('METALINK_MALFORMED', 'no <metalink> element');
  return root;
}

/** Counting characters costs milliseconds; parsing a million comments or references costs seconds and much memory. */
function checkMarkup(text: string): void {
  if (hasMore(text, '<', treeLimits.markup))
    throw tooLarge(`more than ${treeLimits.markup} tags and comments`);
  if (hasMore(text, '&', treeLimits.references))
    throw tooLarge(`more than ${treeLimits.references} references`);
  // the parser pays for each of them, and not for line feeds
  if (hasMore(text, '\r', treeLimits.markup))
    throw tooLarge(`more than ${treeLimits.markup} carriage returns`);
}

function hasMore(text: string, character: string, most: number): boolean {
  let count = 0;
  for (let at = text.indexOf(character); at !== -1; at = text.indexOf(character, at + 1)) {
    count += 1;
    if (count > most) return true;
  }
  return false;
}

function ownAttributes(tag: SaxesTagNS): ReadonlyMap<string, string> {
  const attributes = Object.values(tag.attributes);
  if (attributes.length === 0) return noAttributes;
  // attributes are written without a prefix in both versions; xml:lang and foreign ones do not concern us
  return new Map(attributes.filter(({ prefix }) => prefix === '').map(({ local, value }) => [local, value]));
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
