import { allSpecs, apiErrors, type CommandSpec, type FieldSpecs, type ParamSpec } from '@millrace/api';
import { html, type Markup } from './markup.ts';

/** The pages of the API reference: made of the registry of commands alone, so that they say what the server does. */

const sorted = [...allSpecs].sort((a, b) => (a.name < b.name ? -1 : 1));

export const styleSheet = `
:root { color-scheme: light dark; font: 16px/1.5 system-ui, sans-serif; }
body { margin: 0 auto; max-width: 68rem; padding: 1rem; }
table { border-collapse: collapse; width: 100%; margin: .5rem 0 1.5rem; }
th, td { text-align: left; vertical-align: top; padding: .3rem .6rem .3rem 0; border-bottom: 1px solid #8886; }
code, pre { font: .9em ui-monospace, monospace; overflow-wrap: anywhere; }
pre { white-space: pre-wrap; padding: .7rem; border: 1px solid #8886; }
input { font: inherit; padding: .3rem; min-width: 20rem; max-width: 100%; }
.quiet { opacity: .75; }
`;

function layout(title: string, body: Markup): string {
  return html`<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">
<title>${title} · Millrace API</title><link rel="stylesheet" href="/docs/style.css"></head>
<body><nav><a href="/docs">All commands</a> · <a href="/docs/openapi.json">OpenAPI 3.1</a></nav><main>${body}</main></body></html>
`.text;
}

/** The commands whose name, description or parameters contain every word of the search. */
export function commandsMatching(search: string): readonly CommandSpec[] {
  const words = search.toLowerCase().split(/\s+/).filter(Boolean);
  if (words.length === 0) return sorted;
  return sorted.filter((spec) => {
    const text = [spec.name, spec.description, ...Object.keys(spec.params)].join(' ').toLowerCase();
    return words.every((word) => text.includes(word));
  });
}

export function indexPage(search: string): string {
  const found = commandsMatching(search);
  const rows = found.map(
    (spec) =>
      html`<tr><td><a href="/docs/${spec.name}"><code>${spec.name}</code></a></td><td>${spec.description}</td><td>${spec.isAsync ? 'job' : ''}</td><td>${callers(spec)}</td></tr>
`,
  );
  const said = search === '' ? html`` : html` for “${search}”`;
  return layout(
    'Commands',
    html`<h1>Millrace API</h1>
<p>Apache CloudStack’s API at <code>/client/api</code>: each call names its <code>command</code>, and asks for <code>response=json</code>.</p>
<form action="/docs" method="get" role="search"><label>Search <input type="search" name="q" value="${search}"></label> <button>Search</button></form>
<p>${found.length} commands${said}.</p>
<table><thead><tr><th>command</th><th>what it does</th><th>answers with</th><th>for</th></tr></thead><tbody>${rows}</tbody></table>`,
  );
}

/** The page of one command, or undefined when there is no such command. Case does not matter, as in calls. */
export function commandPage(name: string): string | undefined {
  const spec = sorted.find((candidate) => candidate.name.toLowerCase() === name.toLowerCase());
  if (!spec) return undefined;
  return layout(
    spec.name,
    html`<h1><code>${spec.name}</code></h1>
<p>${spec.description}</p>
<p class="quiet">For: ${callers(spec)}. ${answering(spec)}</p>
<h2>Parameters</h2>${parameterTable(spec)}
<h2>Response</h2>${fieldTable(spec.response)}
<h2>Example</h2>
<pre>${cliExample(spec)}</pre>
<pre>${curlExample(spec)}</pre>
<p class="quiet">Capital words stand for values. The second is for a session: <a href="/docs/login"><code>login</code></a> fills the cookie jar and answers with the session key.</p>
<h2>Errors</h2>${errorTable(spec)}`,
  );
}

function callers(spec: CommandSpec): string {
  if (spec.anonymous) return 'everybody, without keys';
  if (spec.roles.length === 1 && spec.roles[0] === 'admin') return 'administrators';
  if (spec.roles.includes('user')) return 'all users';
  return 'administrators, of domains too';
}

function answering(spec: CommandSpec): string {
  if (spec.isAsync) {
    return 'It answers at once with a jobid; queryAsyncJobResult tells how the job goes, and has the response when it has ended.';
  }
  const { result } = spec;
  if (result.kind === 'list') {
    return `It answers with count and ${result.key}, or with an empty object when there is nothing.`;
  }
  return result.kind === 'object' ? `It answers with ${result.key}.` : '';
}

function parameterTable(spec: CommandSpec): Markup {
  const params = Object.entries(spec.params);
  if (params.length === 0) return html`<p>None.</p>`;
  const rows = params
    .toSorted(([, a], [, b]) => Number(b.required) - Number(a.required))
    .map(
      ([name, param]) =>
        html`<tr><td><code>${name}</code></td><td>${param.type}</td><td>${param.required ? 'required' : ''}</td><td>${param.description}${rulesOf(param).map((rule) => html`<br><span class="quiet">${rule}</span>`)}</td></tr>
`,
    );
  return html`<table><thead><tr><th>name</th><th>type</th><th></th><th>what it is</th></tr></thead><tbody>${rows}</tbody></table>`;
}

function rulesOf(param: ParamSpec): string[] {
  const { unsupported } = param;
  const harmless = unsupported?.harmless ?? [];
  return [
    ...(param.type === 'string' ? [`at most ${param.length} characters`] : []),
    ...(param.type === 'map'
      ? ['written NAME[0].KEY=VALUE, or NAME[0].key=KEY and NAME[0].value=VALUE']
      : []),
    ...(param.type === 'list' ? ['separated by commas'] : []),
    ...(param.adminOnly ? ['for root administrators only'] : []),
    ...(unsupported ? [`${effects[unsupported.effect]}: ${unsupported.reason}`] : []),
    ...(harmless.length > 0 ? [`accepted: ${harmless.join(', ')}`] : []),
  ];
}

const effects = {
  ignored: 'without effect',
  refused: 'refused',
  nothing: 'the list is empty when it is given',
} as const;

function fieldTable(fields: FieldSpecs): Markup {
  const rows = fieldRows(fields, '');
  return html`<table><thead><tr><th>field</th><th>type</th><th>what it is</th></tr></thead><tbody>${rows}</tbody></table>`;
}

function fieldRows(fields: FieldSpecs, prefix: string): Markup[] {
  return Object.entries(fields).flatMap(([name, field]) => [
    html`<tr><td><code>${prefix}${name}</code></td><td>${field.type}</td><td>${field.description}</td></tr>
`,
    ...(field.response ? fieldRows(field.response, `${prefix}${name}[].`) : []),
  ]);
}

const exampleValue = (name: string) => name.replace(/[^a-z]/gi, '').toUpperCase();
const requiredOf = (spec: CommandSpec) => Object.entries(spec.params).filter(([, { required }]) => required);
const exampleName = (name: string, param: ParamSpec) => (param.type === 'map' ? `${name}[0].KEY` : name);

function cliExample(spec: CommandSpec): string {
  const verb = /^[a-z]+/.exec(spec.name)?.[0] ?? '';
  const noun = spec.name.slice(verb.length).toLowerCase();
  const params = requiredOf(spec).map(([name, param]) => `${exampleName(name, param)}=${exampleValue(name)}`);
  return ['bin/millrace', verb, noun, ...params].filter(Boolean).join(' ');
}

function curlExample(spec: CommandSpec): string {
  const params = requiredOf(spec).map(
    ([name, param]) => `--data-urlencode '${exampleName(name, param)}=${exampleValue(name)}'`,
  );
  const session = spec.anonymous ? '-c jar' : "-b jar --data-urlencode 'sessionkey=SESSIONKEY'";
  return [
    `curl ${session} -d command=${spec.name} -d response=json`,
    ...params,
    'http://SERVER/client/api',
  ].join(' ');
}

/** What any call may meet, in the order of the numbers; docs/errors.md says what leads there. */
function errorTable(spec: CommandSpec): Markup {
  const rows = Object.entries(apiErrors)
    .filter(([code]) => !(spec.anonymous && code === 'UNSUPPORTED_ACTION_ERROR'))
    .map(
      ([code, { errorcode, cserrorcode }]) =>
        html`<tr><td>${errorcode}</td><td>${cserrorcode}</td><td><code>${code}</code></td><td>${meanings[code] ?? ''}</td></tr>
`,
    );
  return html`<table><thead><tr><th>errorcode</th><th>cserrorcode</th><th>code</th><th>meaning</th></tr></thead><tbody>${rows}</tbody></table>`;
}

const meanings: Readonly<Record<string, string>> = {
  UNAUTHORIZED: 'no or wrong signature, unknown API key, expired request, ended session',
  METHOD_NOT_ALLOWED: 'the command wants POST',
  API_LIMIT_EXCEED: 'too many failed logins',
  MALFORMED_PARAMETER_ERROR: 'the request cannot be read',
  PARAM_ERROR: 'a parameter is missing, breaks a rule, or names what does not exist; the text names it',
  UNSUPPORTED_ACTION_ERROR: 'no such command, or not for this caller',
  INTERNAL_ERROR: 'an unexpected error, or a job that failed; the text says which',
  ACCOUNT_ERROR: 'login failed, or the caller may not do this to this entity',
  INSUFFICIENT_CAPACITY_ERROR: 'no host, pool or address is left that fits',
  RESOURCE_UNAVAILABLE_ERROR: 'a host, or the database, is away',
  RESOURCE_ALLOCATION_ERROR: 'a limit of the account or domain is reached',
  RESOURCE_IN_USE_ERROR: 'another job works on the same entity, or something uses it',
};
