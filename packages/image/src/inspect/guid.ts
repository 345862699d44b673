export const guidBytes = 16;

/** The bytes of a GUID as files of Microsoft have them, in hexadecimal: the first three groups are little-endian numbers. */
export function guid(text: string): string {
  const groups = text.toLowerCase().split('-');
  const swapped = groups.map((group, index) => (index < 3 ? group.match(/../g)!.reverse().join('') : group));
  return swapped.join('');
}
