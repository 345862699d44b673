import { isJsonObject, type JsonObject } from '@millrace/api-client';
import { printable } from './console.ts';

/** The value at a path such as `name` or `nic.ipaddress`; along a list, the values of all its elements. */
export function valueAt(row: JsonObject, path: string): unknown {
  let value: unknown = row;
  for (const step of path.split('.')) {
    if (Array.isArray(value))
      value = value.map((item) => member(item, step)).filter((item) => item !== undefined);
    else value = member(value, step);
  }
  return value;
}

function member(value: unknown, name: string): unknown {
  if (!isJsonObject(value)) return undefined;
  if (name in value) return value[name];
  const lower = name.toLowerCase();
  const key = Object.keys(value).find((candidate) => candidate.toLowerCase() === lower);
  return key === undefined ? undefined : value[key];
}

/** A value in one cell of a table: lists joined by commas, objects as `key=value`, lists of objects by their names. */
export function cellText(value: unknown): string {
  if (value === undefined || value === null) return '';
  if (Array.isArray(value)) return value.map(elementText).join(', ');
  if (isJsonObject(value)) {
    return Object.entries(value)
      .map(([key, inner]) => `${printable(key)}=${isJsonObject(inner) ? '{…}' : cellText(inner)}`)
      .join(', ');
  }
  return printable(String(value));
}

function elementText(element: unknown): string {
  if (!isJsonObject(element)) return cellText(element);
  const named = ['name', 'displayname', 'key', 'ipaddress', 'id'].find((key) => element[key] !== undefined);
  return named === undefined ? cellText(element) : cellText(element[named]);
}

/** Every scalar in a value with its path: `nic[0].ipaddress`. */
export function* leavesOf(value: unknown, path = ''): Generator<[path: string, text: string]> {
  if (Array.isArray(value)) {
    for (const [index, element] of value.entries()) yield* leavesOf(element, `${path}[${index}]`);
  } else if (isJsonObject(value)) {
    for (const [key, inner] of Object.entries(value)) {
      yield* leavesOf(inner, path === '' ? printable(key) : `${path}.${printable(key)}`);
    }
  } else if (value !== undefined && value !== null) {
    yield [path, printable(String(value))];
  }
}
