import type { ApiParam } from '@millrace/api-client';
import { type Catalogue, type Command, findCommand, spelling } from '../catalogue/catalogue.ts';
import { isWithoutEffect } from '../catalogue/without-effect.ts';
import { UsageError } from '../failures.ts';
import { globalOptions } from '../grammar/options.ts';
import { printable } from '../output/console.ts';
import { ownCommands } from '../own-commands.ts';

/** `millrace --help`. Names the server's verbs when they are known. */
export function generalHelp(catalogue: Catalogue | undefined): string {
  return `millrace: the command line of a Millrace cloud

Usage:
  millrace VERB NOUN [KEY=VALUE …] [OPTIONS]   call a command of the server
  millrace                                     an interactive shell
  millrace COMMAND …

  millrace list virtualmachines filter=name,state
  millrace register template name="Debian 12" url=https://mirror/debian.qcow2 directdownload=true …
  millrace deploy virtualmachine --help

${section(
  'Commands',
  ownCommands.map(({ usage, does }) => [usage, does]),
)}
${verbsSection(catalogue)}
Arguments are KEY=VALUE; keys in any case, nouns in singular or plural. listZones is list zones.
${indented([
  ['KEY=@FILE', 'the contents of a file (user data is put into Base64)'],
  ['MAP[0].KEY=VALUE', 'one entry of a map: details[0].rootDiskController=virtio'],
  ['filter=a,b.c', 'show these fields, in this order, in any output'],
])}
${section('Options', optionRows())}
${section('Environment', [
  ['MILLRACE_CONFIG', 'file with the profiles (~/.config/millrace/config.json)'],
  ['MILLRACE_PROFILE', 'profile to use'],
  ['MILLRACE_URL', 'server, instead of that of the profile'],
  ['MILLRACE_APIKEY', 'with MILLRACE_SECRETKEY: credentials, instead of those of the profile'],
  ['MILLRACE_STATE_DIR', 'caches and history (~/.local/state/millrace)'],
])}
Exit status: 0 done, 1 the server refused or the job failed, 2 wrong usage (nothing was sent), 3 no answer from the
server, 4 credentials refused or absent, 130 interrupted.
`;
}

/**
 * Help for a verb (what there is to do with it) or for a command.
 * @throws UsageError for words that name neither
 */
export function helpFor(catalogue: Catalogue, words: readonly string[]): string {
  const verb = words[0]?.toLowerCase() ?? '';
  const group = catalogue.byVerb.get(verb);
  const only = group?.length === 1 && group[0]!.noun === '';
  if (group !== undefined && !only && (words.length === 1 || words[1]!.includes('=')))
    return verbHelp(verb, group);
  return commandHelp(findCommand(catalogue, words).command);
}

function verbHelp(verb: string, group: readonly Command[]): string {
  const rows = group.map((command) => [spelling(command), command.api.description] as const);
  return `${section(`What to ${verb}`, rows)}\nMore on one: millrace ${spelling(group[0]!)} --help\n`;
}

/** Required arguments first, each with its type. */
function commandHelp(command: Command): string {
  const { api } = command;
  const usual = api.params
    .filter((param) => param.required)
    .map((param) => `${param.name}=${placeholder(param)}`);
  const optional = api.params.filter((param) => !param.required && !isWithoutEffect(param));
  const without = api.params.filter((param) => !param.required && isWithoutEffect(param));
  const parts = [
    `${api.name}: ${printable(api.description)}${api.isasync ? '\nRuns as a job; the command waits for it unless --no-wait is given.' : ''}\n`,
    `Usage:\n  millrace ${[spelling(command), ...usual, ...(optional.length > 0 ? ['[KEY=VALUE …]'] : [])].join(' ')}\n`,
  ];
  const required = api.params.filter((param) => param.required);
  if (required.length > 0) parts.push(section('Required', required.map(paramRow)));
  if (optional.length > 0) parts.push(section('Optional', optional.map(paramRow)));
  if (without.length > 0)
    parts.push(`Known to CloudStack, but without effect here:\n${indented(without.map(paramRow))}`);
  if (api.response.length > 0) {
    const fields = api.response.map((field) => field.name).join(', ');
    parts.push(`Fields (for filter=):\n${wrap(fields, 2)}\n`);
  }
  return parts.join('\n');
}

function paramRow(param: ApiParam): [string, string] {
  return [`${param.name} ${param.type}`, param.description];
}

function placeholder(param: ApiParam): string {
  return param.type === 'boolean' ? 'true|false' : param.type.toUpperCase();
}

/** The options, as rows of a table. */
export function optionRows(): [string, string][] {
  return globalOptions.map(({ names, value, description }) => [
    `${[...names].reverse().join(', ')}${value ? ` ${value}` : ''}`,
    description,
  ]);
}

function verbsSection(catalogue: Catalogue | undefined): string {
  if (catalogue === undefined) return 'The verbs come from the server: millrace sync fetches them.\n';
  return `Verbs of the server (millrace VERB --help):\n${wrap([...catalogue.byVerb.keys()].sort().join(', '), 2)}\n`;
}

function section(title: string, rows: readonly (readonly [string, string])[]): string {
  return `${title}:\n${indented(rows)}`;
}

function indented(rows: readonly (readonly [string, string])[]): string {
  const width = Math.min(34, Math.max(...rows.map(([term]) => term.length)));
  return rows
    .map(([term, description]) => `  ${printable(term).padEnd(width)}  ${printable(description)}`.trimEnd())
    .map((line) => `${line}\n`)
    .join('');
}

function wrap(text: string, indent: number): string {
  const lines = [''];
  for (const word of printable(text).split(' ')) {
    const last = lines.at(-1)!;
    if (last !== '' && last.length + word.length + 1 > 110 - indent) lines.push(word);
    else lines[lines.length - 1] = last === '' ? word : `${last} ${word}`;
  }
  return lines.map((line) => `${' '.repeat(indent)}${line}`).join('\n');
}

/** Tells a help request about own commands from one about the server's. */
export function ownHelp(word: string): string | undefined {
  const own = ownCommands.find((command) => command.name === word);
  if (own === undefined) return undefined;
  const more: Record<string, string> = {
    set:
      'Keys: profile, url, apikey, secretkey, username, password, domain, output. An empty value removes a setting.\n' +
      'Secrets can be given as - to be read from the terminal or standard input: millrace set secretkey -\n' +
      'The profile in use is changed; millrace set profile NAME makes another one and uses it.\n',
    completion:
      'bash: source <(millrace completion bash)     in ~/.bashrc\n' +
      'zsh:  source <(millrace completion zsh)      in ~/.zshrc, after compinit\n',
    show: 'show config tells where the file is and which profile is in use.\n',
    server: `millrace server init makes a new cloud: millrace server init --help\n${daemonHelp('server', [
      ['MILLRACE_DATA_DIR', 'directory of its own (required)'],
      ['DATABASE_URL', 'the PostgreSQL database (required)'],
      [
        'MILLRACE_SECRET_KEY_FILE',
        'seals secrets in the database, the same on all servers (secret.key in the data directory)',
      ],
      ['MILLRACE_API_HOST, …_API_PORT', 'where the API and the console listen (127.0.0.1, 8080)'],
      ['MILLRACE_TRUSTED_PROXIES', 'proxies before it whose X-Forwarded-For is believed, with commas'],
      ['MILLRACE_METRICS_CIDRS', 'networks that may read /metrics, with commas (loopback always may)'],
      ['MILLRACE_INTEGRATION_PORT', 'loopback port for calls without credentials, as root admin (off)'],
      ['MILLRACE_WEB_DIR', 'where the console was built; none without it'],
      ['MILLRACE_AGENT_HOST, …_AGENT_PORT', 'where agents connect to (127.0.0.1, 8250)'],
      ['MILLRACE_AGENT_URL', 'https:// addresses of all servers, told to hosts that join, with commas'],
      ['MILLRACE_LOG_LEVEL', 'debug, info, warn or error'],
    ])}`,
    agent:
      'millrace agent join makes a machine a host, millrace agent check tells what it lacks: millrace agent --help\n',
    sync: 'Unknown words make the program ask by itself; after an upgrade of the server this makes sure.\n',
  };
  return `Usage: millrace ${own.usage}\n${own.does}\n${more[word] ? `\n${more[word]}` : ''}`;
}

function daemonHelp(name: string, settings: readonly (readonly [string, string])[]): string {
  return `npm start starts and supervises it, with all that it needs. ${section(`By itself, the ${name} reads its settings from`, settings)}`;
}

/** @throws UsageError always: for words that only make sense elsewhere */
export function daemonOnly(word: string): never {
  throw new UsageError(`${word} is started by the launcher: bin/millrace ${word} …`);
}
