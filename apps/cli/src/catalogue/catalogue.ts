import type { ApiDescription } from '@millrace/api-client';
import { UsageError } from '../failures.ts';
import { nearest } from '../grammar/nearest.ts';

/** A command as people type it. */
export interface Command {
  /** The leading lower-case run of the API's name: `list`. */
  readonly verb: string;
  /** The rest, lower-cased: `virtualmachines`. Empty for `login`. */
  readonly noun: string;
  readonly api: ApiDescription;
}

export interface Catalogue {
  readonly commands: readonly Command[];
  /** By the API's name, lower-cased. */
  readonly byName: ReadonlyMap<string, Command>;
  readonly byVerb: ReadonlyMap<string, readonly Command[]>;
}

/** Orders the commands of a server for lookup. */
export function makeCatalogue(apis: readonly ApiDescription[]): Catalogue {
  const commands = apis
    .map((api) => {
      const verb = /^[a-z]*/.exec(api.name)?.[0] || api.name.toLowerCase();
      return { verb, noun: api.name.slice(verb.length).toLowerCase(), api };
    })
    .sort((a, b) => a.verb.localeCompare(b.verb) || a.noun.localeCompare(b.noun));
  return {
    commands,
    byName: new Map(commands.map((command) => [command.api.name.toLowerCase(), command])),
    byVerb: Map.groupBy(commands, (command) => command.verb),
  };
}

/** How a person types the command: `list virtualmachines`. */
export function spelling(command: Command): string {
  return command.noun === '' ? command.verb : `${command.verb} ${command.noun}`;
}

/**
 * Finds the command that the first words of a line name, as `verb noun` or as the API's own name, in any case, with the
 * noun in singular or plural.
 * @returns the command and the words after it
 * @throws UsageError that depends on the catalogue: a server may have learnt the word since
 */
export function findCommand(
  catalogue: Catalogue,
  words: readonly string[],
): { command: Command; rest: readonly string[] } {
  const first = words[0]?.toLowerCase() ?? '';
  const second = words[1];
  const group = catalogue.byVerb.get(first);
  if (group !== undefined && second !== undefined && !second.includes('=')) {
    const noun = second.toLowerCase().replaceAll(/[-_]/g, '');
    const command = oneOf(numbersOf(noun), (candidate) => group.find((entry) => entry.noun === candidate));
    if (command !== undefined) return { command, rest: words.slice(2) };
  }
  const named = oneOf(numbersOf(first), (candidate) => catalogue.byName.get(candidate));
  if (named !== undefined) return { command: named, rest: words.slice(1) };
  throw unknownCommand(catalogue, words);
}

/** The word, then its singular and plural forms. */
function numbersOf(word: string): string[] {
  const forms = [word, `${word}s`, `${word}es`];
  if (word.endsWith('ies')) forms.push(`${word.slice(0, -3)}y`);
  if (word.endsWith('y')) forms.push(`${word.slice(0, -1)}ies`);
  if (word.endsWith('es')) forms.push(word.slice(0, -2));
  if (word.endsWith('s')) forms.push(word.slice(0, -1));
  return forms;
}

function oneOf<T>(words: readonly string[], find: (word: string) => T | undefined): T | undefined {
  for (const word of words) {
    const found = find(word);
    if (found !== undefined) return found;
  }
  return undefined;
}

function unknownCommand(catalogue: Catalogue, words: readonly string[]): UsageError {
  const verb = words[0]?.toLowerCase() ?? '';
  const group = catalogue.byVerb.get(verb);
  const noun = words[1]?.includes('=') ? undefined : words[1];
  const dependsOnCatalogue = true;
  if (group !== undefined && noun === undefined) {
    const nouns = group.map((command) => command.noun).join(', ');
    return new UsageError(`What to ${verb}? There are: ${nouns}.`, { dependsOnCatalogue });
  }
  const typed = noun === undefined ? verb : `${verb} ${noun}`;
  const meant =
    nearest(typed, (group ?? catalogue.commands).map(spelling)) ??
    (group === undefined
      ? nearest(verb, [...catalogue.byName.keys(), ...catalogue.byVerb.keys()])
      : undefined);
  const list =
    group === undefined
      ? 'millrace --help lists the commands.'
      : `millrace ${verb} --help lists what there is.`;
  const hint = meant ? `Did you mean ${meant}?` : list;
  return new UsageError(`Unknown command: ${typed}. ${hint}`, { dependsOnCatalogue });
}
