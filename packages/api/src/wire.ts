import { ApiError, invalidParameter, missingParameter } from './errors.ts';
import type { ParamSpec, ParamSpecs } from './param.ts';

/**
 * The parameters of a call as they came: names with their case (the signature needs it), values decoded from the URL's
 * or form's encoding.
 */
export type WireParams = readonly (readonly [name: string, value: string])[];

/** Far above any real call; a bound on what a stranger can make the server sort and hash. */
const mostParams = 2000;

/**
 * Joins the query and the form of a call: clients use either or both.
 * @throws ApiError 430 when a parameter comes twice (whichever of the values a signature or a check looks at, the other
 * could be the one that is used) or there are too many.
 */
export function joinParams(...parts: readonly string[]): WireParams {
  const params = parts.flatMap((part) => [...new URLSearchParams(part)]);
  if (params.length > mostParams) {
    throw new ApiError('MALFORMED_PARAMETER_ERROR', `a call has at most ${mostParams} parameters`);
  }
  const seen = new Set<string>();
  for (const [name] of params) {
    const key = parameterKey(name);
    if (seen.has(key)) {
      throw new ApiError('MALFORMED_PARAMETER_ERROR', `parameter ${clip(name)} is given more than once`);
    }
    seen.add(key);
  }
  return params;
}

/** Names are case-insensitive, but the keys of maps are not: `details[0].rootDiskController`. */
function parameterKey(name: string): string {
  const bracket = name.indexOf('[');
  return bracket < 0 ? name.toLowerCase() : name.slice(0, bracket).toLowerCase() + name.slice(bracket);
}

/** The value of a parameter that is no map, whatever the case of its name; an empty value counts as absent. */
export function wireValue(params: WireParams, name: string): string | undefined {
  const wanted = name.toLowerCase();
  const value = params.find(([candidate]) => candidate.toLowerCase() === wanted)?.[1];
  return value === '' ? undefined : value;
}

/**
 * Reads a command's parameters. Parameters the command does not know are ignored, as clients send some of their own.
 * @throws ApiError 431 naming the parameter that is missing, malformed or not supported.
 */
export function decodeParams(
  command: string,
  specs: ParamSpecs,
  wire: WireParams,
  isAdmin: boolean,
): { readonly params: Record<string, unknown>; readonly matchesNothing: boolean } {
  const params: Record<string, unknown> = {};
  let matchesNothing = false;
  for (const [name, spec] of Object.entries(specs)) {
    const raw = spec.type === 'map' ? mapGroups(wire, name) : wireValue(wire, name);
    if (raw === undefined) {
      if (spec.required) throw missingParameter(command, name);
      continue;
    }
    if (spec.adminOnly && !isAdmin) throw invalidParameter(name, 'only a root admin may use it');
    const value = decodeOne(name, spec, raw);
    const effect = spec.unsupported && effectOf(spec, raw);
    if (effect === 'refused') throw invalidParameter(name, `not supported: ${spec.unsupported!.reason}`);
    if (effect === 'nothing') matchesNothing = true;
    params[name] = value;
  }
  return { params, matchesNothing };
}

type Raw = string | Record<string, string>[];

function decodeOne(name: string, spec: ParamSpec, raw: Raw): unknown {
  // PostgreSQL's text cannot hold it, and nobody means it
  if (containsNul(raw)) throw invalidParameter(name, 'must not contain the character NUL');
  const result = spec.schema.safeParse(raw);
  if (result.success) return result.data;
  throw invalidParameter(name, result.error.issues[0]?.message ?? 'is malformed');
}

function containsNul(raw: Raw): boolean {
  if (typeof raw === 'string') return raw.includes('\0');
  return raw.some((group) => Object.entries(group).some(([key, value]) => `${key}${value}`.includes('\0')));
}

function effectOf(spec: ParamSpec, raw: Raw): string | undefined {
  const harmless = spec.unsupported?.harmless ?? [];
  if (typeof raw === 'string' && harmless.includes(raw.toLowerCase())) return undefined;
  return spec.unsupported?.effect;
}

/** `name[i].key=value`: indices may be sparse and start anywhere; an index groups its keys. */
function mapGroups(wire: WireParams, name: string): Record<string, string>[] | undefined {
  const groups = new Map<number, Record<string, string>>();
  const prefix = `${name.toLowerCase()}[`;
  for (const [candidate, value] of wire) {
    const lower = candidate.toLowerCase();
    if (lower === name.toLowerCase() && value !== '') {
      throw invalidParameter(name, `must be given as ${name}[0].key=value`);
    }
    if (!lower.startsWith(prefix)) continue;
    const match = /^(\d{1,9})\]\.(.+)$/s.exec(candidate.slice(prefix.length));
    if (!match) throw invalidParameter(name, `must be given as ${name}[0].key=value`);
    const [, index, key] = match;
    const group = groups.get(Number(index)) ?? Object.create(null);
    group[key!] = value;
    groups.set(Number(index), group);
  }
  if (groups.size === 0) return undefined;
  return [...groups].sort(([a], [b]) => a - b).map(([, group]) => group);
}

function clip(name: string): string {
  return name.length > 80 ? `${name.slice(0, 80)}…` : name;
}
