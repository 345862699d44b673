const entities: Readonly<Record<string, string>> = {
  '&': '&amp;',
  '<': '&lt;',
  '>': '&gt;',
  '"': '&quot;',
  "'": '&apos;',
};

/**
 * Text as it may stand in an element or an attribute of an XML 1.0 document.
 * @throws Error for characters that XML 1.0 cannot carry at all (§2.2), such as NUL.
 */
export function escapeXml(text: string): string {
  if (/[\u0000-\u0008\u000b\u000c\u000e-\u001f\ufffe\uffff]/.test(text) || !text.isWellFormed())
    throw new Error('the text has a character that XML cannot carry');
  return text.replaceAll(/[&<>"']/g, (character) => entities[character]!);
}

/** Undoes libvirt's escaping of an attribute value. */
export function unescapeXml(text: string): string {
  return text.replaceAll(/&(amp|lt|gt|quot|apos);/g, (entity) => {
    const found = Object.entries(entities).find(([, escaped]) => escaped === entity);
    return found ? found[0] : entity;
  });
}

/** A template tag that escapes every value put into the XML text; values that are XML already are wrapped in `raw`. */
export function xml(strings: TemplateStringsArray, ...values: readonly (string | number | RawXml)[]): RawXml {
  const parts = strings.map((literal, index) => {
    const value = values[index];
    if (value === undefined) return literal;
    return literal + (typeof value === 'object' ? value.xml : escapeXml(String(value)));
  });
  return { xml: parts.join('') };
}

export interface RawXml {
  readonly xml: string;
}

/** Several pieces of XML as one. */
export function joinXml(pieces: readonly RawXml[]): RawXml {
  return { xml: pieces.map((piece) => piece.xml).join('\n') };
}

/** The attributes of every `<element …>` in a document that libvirt itself wrote (it always quotes with `'`). */
export function elementsOf(document: string, element: string): Readonly<Record<string, string>>[] {
  const tags = document.matchAll(new RegExp(`<${element}((?:\\s+[\\w:-]+='[^']*')*)\\s*/?>`, 'g'));
  return [...tags].map((tag) =>
    Object.fromEntries(
      [...tag[1]!.matchAll(/([\w:-]+)='([^']*)'/g)].map((found) => [found[1]!, unescapeXml(found[2]!)]),
    ),
  );
}
