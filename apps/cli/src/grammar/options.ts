import { UsageError } from '../failures.ts';
import { nearest } from './nearest.ts';

export const outputFormats = ['table', 'json', 'text', 'csv'] as const;
export type OutputFormat = (typeof outputFormats)[number];

/** Options that every command takes, wherever on the line they stand. */
export interface GlobalOptions {
  readonly profile?: string;
  readonly output?: OutputFormat;
  /** All fields in a table, not the usual few. */
  readonly wide?: boolean;
  readonly noWait?: boolean;
  readonly quiet?: boolean;
  readonly help?: boolean;
  readonly version?: boolean;
}

interface Option {
  readonly key: keyof GlobalOptions;
  readonly names: readonly string[];
  readonly value?: string;
  readonly description: string;
}

/** The options as data: parsing, help and completion read the same table. */
export const globalOptions: readonly Option[] = [
  { key: 'profile', names: ['--profile', '-p'], value: 'NAME', description: 'use this profile' },
  { key: 'output', names: ['--output', '-o'], value: 'FORMAT', description: `${outputFormats.join(', ')}` },
  { key: 'wide', names: ['--wide', '-w'], description: 'table with every field' },
  { key: 'noWait', names: ['--no-wait'], description: 'print the id of the job and do not wait for it' },
  { key: 'quiet', names: ['--quiet', '-q'], description: 'no progress' },
  { key: 'help', names: ['--help', '-h'], description: 'help for what stands before it' },
  { key: 'version', names: ['--version', '-V'], description: 'the version' },
];

/**
 * Takes the options out of the words of a line.
 * @throws UsageError for an unknown option, a missing or unknown value
 */
export function splitOptions(argv: readonly string[]): { options: GlobalOptions; words: string[] } {
  const options: Record<string, string | boolean> = {};
  const words: string[] = [];
  for (let position = 0; position < argv.length; position++) {
    const word = argv[position]!;
    // key=value comes first: a value may hold anything, dashes too
    if (!word.startsWith('-') || word === '-') {
      words.push(word);
      continue;
    }
    if (word === '--') {
      words.push(...argv.slice(position + 1));
      break;
    }
    const equals = word.startsWith('--') ? word.indexOf('=') : -1;
    const name = equals === -1 ? word : word.slice(0, equals);
    const option = globalOptions.find(({ names }) => names.includes(name));
    if (option === undefined) throw unknownOption(name);
    if (option.value === undefined) {
      if (equals !== -1) throw new UsageError(`${name} takes no value.`);
      options[option.key] = true;
      continue;
    }
    const value = equals === -1 ? argv[++position] : word.slice(equals + 1);
    if (value === undefined || value === '') throw new UsageError(`${name} needs a value: ${option.value}.`);
    options[option.key] = value;
  }
  if (options['output'] !== undefined) options['output'] = readFormat(String(options['output']));
  // built key by key from the table above, whose keys are those of GlobalOptions
  return { options: options as GlobalOptions, words };
}

/** @throws UsageError naming the formats there are */
export function readFormat(text: string): OutputFormat {
  const format = outputFormats.find((name) => name === text.toLowerCase());
  if (format === undefined) {
    throw new UsageError(`Unknown output format ${text}. There are ${outputFormats.join(', ')}.`);
  }
  return format;
}

function unknownOption(name: string): UsageError {
  const meant = nearest(
    name,
    globalOptions.flatMap((option) => option.names),
  );
  return new UsageError(`Unknown option ${name}.${meant ? ` Did you mean ${meant}?` : ''}`);
}
