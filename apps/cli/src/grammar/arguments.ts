import type { ApiParam } from '@millrace/api-client';
import { type Command, spelling } from '../catalogue/catalogue.ts';
import { UsageError } from '../failures.ts';
import { nearest } from './nearest.ts';

/** The arguments of one call, checked against its description. */
export interface Arguments {
  /** As they go on the wire, except that values beginning with `@` still stand for files. */
  readonly params: Readonly<Record<string, string>>;
  /** `filter=`: the fields to show, in this order. Never sent. */
  readonly filter?: readonly string[];
}

/** `details[0].rootDiskController`: the name, the rest with its case kept. */
const mapKey = /^([^[\].]+)(\[\d+\](?:\..+)?)$/;

/**
 * Reads `key=value` words.
 * @throws UsageError for a word that is no argument, a key the command does not have (with the nearest one), a repeated
 * key, and required arguments that are absent, all of them with their descriptions
 */
export function readArguments(command: Command, words: readonly string[]): Arguments {
  const known = new Map(command.api.params.map((param) => [param.name, param]));
  const params: Record<string, string> = {};
  let filter: string[] | undefined;
  for (const word of words) {
    const { key, value } = splitArgument(command, word);
    if (key === 'filter' && !known.has('filter')) {
      filter = value
        .split(',')
        .map((field) => field.trim())
        .filter((field) => field !== '');
      continue;
    }
    checkKey(command, known, key);
    if (key in params) throw new UsageError(`${key} is given twice.`);
    params[key] = value;
  }
  checkRequired(command, params);
  return filter === undefined || filter.length === 0 ? { params } : { params, filter };
}

/** Splits at the first `=`; the key is lower-cased but for what follows an index, which names a key of the map. */
export function splitArgument(command: Command, word: string): { key: string; value: string } {
  const equals = word.indexOf('=');
  if (equals <= 0) {
    throw new UsageError(
      `${spelling(command)} takes arguments as key=value; what is ${JSON.stringify(word)}? ` +
        'Quote a value that has blanks.',
    );
  }
  const typed = word.slice(0, equals);
  const indexed = mapKey.exec(typed);
  const key = indexed ? `${indexed[1]!.toLowerCase()}${indexed[2]}` : typed.toLowerCase();
  return { key, value: word.slice(equals + 1) };
}

function checkKey(command: Command, known: ReadonlyMap<string, ApiParam>, key: string): void {
  const name = mapKey.exec(key)?.[1] ?? key;
  const param = known.get(name);
  if (param === undefined) {
    const meant = nearest(name, known.keys());
    const hint = meant ? ` Did you mean ${meant}?` : '';
    throw new UsageError(
      `${spelling(command)} has no argument ${name}.${hint}\nHelp: millrace ${spelling(command)} --help`,
      { dependsOnCatalogue: true },
    );
  }
  if (param.type === 'map' && name === key) {
    throw new UsageError(`${name} is a map: write ${name}[0].KEY=VALUE.`);
  }
}

function checkRequired(command: Command, params: Readonly<Record<string, string>>): void {
  const given = new Set(
    Object.entries(params)
      // to the API an empty value is an absent one
      .filter(([, value]) => value !== '')
      .map(([key]) => mapKey.exec(key)?.[1] ?? key),
  );
  const missing = command.api.params.filter((param) => param.required && !given.has(param.name));
  if (missing.length === 0) return;
  const width = Math.max(...missing.map((param) => param.name.length));
  const lines = missing.map((param) => `  ${param.name.padEnd(width)}  ${param.description}`);
  throw new UsageError(
    `${spelling(command)} needs ${missing.length === 1 ? 'one more argument' : `${missing.length} more arguments`}:\n` +
      `${lines.join('\n')}\nHelp: millrace ${spelling(command)} --help`,
    { dependsOnCatalogue: true },
  );
}
