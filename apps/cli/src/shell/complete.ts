import type { ApiParam } from '@millrace/api-client';
import { type Catalogue, type Command, findCommand } from '../catalogue/catalogue.ts';
import { isWithoutEffect } from '../catalogue/without-effect.ts';
import { globalOptions, outputFormats } from '../grammar/options.ts';
import { splitLine } from '../grammar/split-words.ts';
import { ownCommands } from '../own-commands.ts';
import { fetchOptionNames } from '../run/fetch-options.ts';
import { settingNames } from '../run/setting-names.ts';
import { type Candidate, fixedValues } from './value-source.ts';

export interface Completion {
  /** Whole words that may replace the word under the cursor, without quotes. */
  readonly candidates: readonly Candidate[];
  /** The word under the cursor. */
  readonly word: string;
  /** Set when the rest of the word is the name of a file or of a directory; what stands before the path. */
  readonly filesAfter?: string;
}

export interface CompletionDependencies {
  /** `undefined` when nothing is kept and the server does not answer. */
  readonly catalogue: () => Promise<Catalogue | undefined>;
  readonly profileNames: () => Promise<readonly string[]>;
  /** Entities that can be the value; `[]` when the server takes too long. */
  readonly listValues: (command: Command, param: ApiParam) => Promise<readonly Candidate[]>;
}

/** What may stand at the end of `line`, which is without the program's name. */
export async function complete(line: string, deps: CompletionDependencies): Promise<Completion> {
  const { words } = splitLine(line);
  const word = words.at(-1) ?? '';
  const before = words.slice(0, -1);
  if (before[0] === 'fetch') return completeFetch(word, before);
  const option = globalOptions.find(({ names, value }) => value && names.includes(before.at(-1) ?? ''));
  if (option !== undefined) {
    const values =
      option.key === 'output' ? outputFormats : option.key === 'profile' ? await deps.profileNames() : [];
    return matching(word, plain(values));
  }
  if (word.startsWith('-')) {
    return matching(
      word,
      globalOptions.flatMap(({ names, description }) => names.map((value) => ({ value, description }))),
    );
  }
  const plainWords = withoutOptions(before);
  if (plainWords[0] === 'help') plainWords.shift();
  return completeWords(plainWords, word, deps);
}

async function completeWords(
  before: readonly string[],
  word: string,
  deps: CompletionDependencies,
): Promise<Completion> {
  const own = await completeOwn(before, word, deps);
  if (own !== undefined) return own;
  const catalogue = await deps.catalogue();
  if (before.length === 0) {
    const verbs = [...(catalogue?.byVerb.keys() ?? [])];
    // whoever types a capital is typing the name of an API
    const names = /[A-Z]/.test(word) ? (catalogue?.commands.map(({ api }) => api.name) ?? []) : [];
    const commands = ownCommands.map(({ name, does }) => ({ value: name, description: does }));
    return matching(word, [...commands, ...plain([...new Set([...verbs, ...names])].sort())]);
  }
  if (catalogue === undefined) return { candidates: [], word };
  const found = commandIn(catalogue, before);
  if (found === undefined) {
    const nouns = before.length === 1 ? catalogue.byVerb.get(before[0]!.toLowerCase()) : undefined;
    return matching(
      word,
      (nouns ?? []).map(({ noun, api }) => ({ value: noun, description: api.description })),
    );
  }
  return completeArgument(found.command, found.rest, word, deps);
}

function commandIn(catalogue: Catalogue, words: readonly string[]) {
  try {
    return findCommand(catalogue, words);
  } catch {
    return undefined;
  }
}

async function completeOwn(
  before: readonly string[],
  word: string,
  deps: CompletionDependencies,
): Promise<Completion | undefined> {
  const [first, second] = before;
  if (first === 'set' && before.length === 1) return matching(word, plain(settingNames));
  if (first === 'set' && before.length === 2) {
    if (second === 'output') return matching(word, plain(outputFormats));
    if (second === 'profile') return matching(word, plain(await deps.profileNames()));
    return { candidates: [], word };
  }
  if (first === 'show' && before.length === 1) return matching(word, plain(['config']));
  if (first === 'completion' && before.length === 1) return matching(word, plain(['bash', 'zsh']));
  return undefined;
}

async function completeArgument(
  command: Command,
  given: readonly string[],
  word: string,
  deps: CompletionDependencies,
): Promise<Completion> {
  const equals = word.indexOf('=');
  if (equals === -1) {
    const taken = new Set(given.map((argument) => argument.split('=', 1)[0]!.toLowerCase()));
    const params = [...command.api.params]
      .filter((param) => param.type === 'map' || !taken.has(param.name))
      .sort((a, b) => Number(b.required) - Number(a.required));
    const offered = matching(word, [
      ...params.filter((param) => !isWithoutEffect(param)).map(paramCandidate),
      ...(taken.has('filter') ? [] : [{ value: 'filter=', description: 'the fields to show' }]),
    ]);
    // what has no effect is in nobody's way, but whoever types its name shall see why
    return offered.candidates.length > 0 ? offered : matching(word, params.map(paramCandidate));
  }
  const key = word.slice(0, equals).toLowerCase();
  const value = word.slice(equals + 1);
  if (value.startsWith('@')) return { candidates: [], word, filesAfter: `${word.slice(0, equals)}=@` };
  const param = command.api.params.find((candidate) => candidate.name === key);
  if (param === undefined && key !== 'filter') return { candidates: [], word };
  // several values are joined by commas: the last one is being typed
  const isList = param === undefined || param.type === 'list';
  const typed = isList ? value.slice(value.lastIndexOf(',') + 1) : value;
  const lead = word.slice(0, word.length - typed.length);
  const values =
    param === undefined
      ? command.api.response.map((field) => ({ value: field.name, description: field.description }))
      : (plainOrUndefined(fixedValues(param)) ?? (await deps.listValues(command, param)));
  return {
    word,
    candidates: byBeginningOrName(typed, values).map((entry) => ({ ...entry, value: lead + entry.value })),
  };
}

/** Values that begin with what was typed; when none does, those whose name does: people know names, not ids. */
function byBeginningOrName(typed: string, values: readonly Candidate[]): readonly Candidate[] {
  const lower = typed.toLowerCase();
  const beginning = values.filter(({ value }) => value.toLowerCase().startsWith(lower));
  if (beginning.length > 0) return beginning;
  const named = values.filter(({ description }) => description?.toLowerCase().startsWith(lower));
  return named;
}

function completeFetch(word: string, before: readonly string[]): Completion {
  if (before.at(-1) === '--to') return { candidates: [], word, filesAfter: '' };
  if (before.at(-1) === '--format') return matching(word, plain(['qcow2', 'raw', 'iso']));
  return word.startsWith('-') ? matching(word, plain(fetchOptionNames)) : { candidates: [], word };
}

function withoutOptions(words: readonly string[]): string[] {
  const kept: string[] = [];
  for (let position = 0; position < words.length; position++) {
    const option = globalOptions.find(({ names }) => names.includes(words[position]!));
    if (option?.value) position++;
    else if (!words[position]!.startsWith('-')) kept.push(words[position]!);
  }
  return kept;
}

function matching(word: string, candidates: readonly Candidate[]): Completion {
  const lower = word.toLowerCase();
  return { word, candidates: candidates.filter(({ value }) => value.toLowerCase().startsWith(lower)) };
}

function paramCandidate(param: ApiParam): Candidate {
  return {
    value: param.type === 'map' ? `${param.name}[0].` : `${param.name}=`,
    description: param.description,
  };
}

function plain(values: readonly string[]): Candidate[] {
  return values.map((value) => ({ value }));
}

function plainOrUndefined(values: readonly string[] | undefined): Candidate[] | undefined {
  return values === undefined ? undefined : plain(values);
}
