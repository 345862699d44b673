import { z } from 'zod';

/** Parameter types that CloudStack's `listApis` knows. */
export type ParamType =
  | 'string'
  | 'uuid'
  | 'integer'
  | 'boolean'
  | 'list'
  | 'long'
  | 'map'
  | 'date'
  | 'short'
  | 'object';

/**
 * What happens to a parameter that CloudStack has and Millrace has no use for:
 * `ignored` changes nothing that matters; `refused` would change what the caller gets, so it is refused with the reason;
 * `nothing` is a filter on what does not exist here, so the list is empty.
 */
export interface Unsupported {
  readonly effect: 'ignored' | 'refused' | 'nothing';
  readonly reason: string;
  /** Values (in lower case) that ask for what happens anyway. */
  readonly harmless?: readonly string[];
}

/** One parameter of a command: what `listApis` advertises and how the wire's text becomes a value. */
export interface ParamSpec<T = unknown, R extends boolean = boolean> {
  readonly type: ParamType;
  readonly required: R;
  readonly description: string;
  readonly length: number;
  /** Reads text (for maps: groups of text) into the value; its message names the rule that was broken. */
  readonly schema: z.ZodType<T>;
  readonly unsupported?: Unsupported;
  /** Refused from anybody but a root admin. */
  readonly adminOnly?: boolean;
}

export type ParamSpecs = Readonly<Record<string, ParamSpec>>;

type Value<S> = S extends ParamSpec<infer T, boolean> ? T : never;
type RequiredKeys<P extends ParamSpecs> = {
  [K in keyof P]: P[K]['required'] extends true ? K : never;
}[keyof P];
type OptionalKeys<P extends ParamSpecs> = Exclude<keyof P, RequiredKeys<P>>;

/** The decoded parameters of a command. An empty value on the wire counts as absent. */
export type ParamsOf<P extends ParamSpecs> = { readonly [K in RequiredKeys<P>]: Value<P[K]> } & {
  readonly [K in OptionalKeys<P>]?: Value<P[K]>;
};

const uuidPattern = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/;

/** Whether text has the form of an entity's id (lower case). */
export function isUuid(text: string): boolean {
  return uuidPattern.test(text);
}

const text = (length: number) => z.string().max(length, `must not be longer than ${length} characters`);
const wholeNumber = (least: number, most: number) =>
  z
    .string()
    .regex(/^-?\d{1,16}$/, 'must be a whole number')
    .transform(Number)
    .refine((value) => value >= least && value <= most, `must be from ${least} to ${most}`);
const uuid = z
  .string()
  .transform((value) => value.toLowerCase())
  .refine(isUuid, 'must be a UUID');
const boolean = z
  .string()
  .regex(/^(true|false)$/i, 'must be true or false')
  .transform((value) => value.toLowerCase() === 'true');
const list = z.string().transform((value) =>
  value
    .split(',')
    .map((item) => item.trim())
    .filter((item) => item !== ''),
);
const date = z
  .string()
  .regex(
    /^\d{4}-\d{2}-\d{2}([ T]\d{2}:\d{2}:\d{2}([+-]\d{2}:?\d{2}|Z)?)?$/,
    'must be yyyy-MM-dd or yyyy-MM-dd HH:mm:ss',
  )
  .transform((value) => new Date(withZone(value.replace(' ', 'T'))))
  .refine((value) => !Number.isNaN(value.getTime()), 'must be a date that exists');
/** A time without a zone is UTC, as a date without a time is: the answer must not depend on the server's own zone. */
function withZone(value: string): string {
  if (!value.includes('T')) return value;
  const [, time, zone = 'Z'] = /^(.{19})(.+)?$/.exec(value)!;
  return `${time}${zone.replace(/^([+-]\d{2})(\d{2})$/, '$1:$2')}`;
}

/** Maps arrive as their groups, one per index, in the order of the indices. */
const groups = z.array(z.record(z.string(), z.string()));
/** Both styles: `details[0].k=v` and `details[0].key=k&details[0].value=v`. Later groups win. */
const map = groups.transform((list) => {
  const merged: Record<string, string> = {};
  for (const group of list) {
    const { key, value } = group;
    if (key !== undefined && Object.keys(group).length === (value === undefined ? 1 : 2)) {
      merged[key] = value ?? '';
    } else Object.assign(merged, group);
  }
  return merged;
});

interface ParamOptions {
  readonly required?: boolean;
  readonly length?: number;
  readonly unsupported?: Unsupported;
  readonly adminOnly?: boolean;
}

function builder<T>(type: ParamType, schema: (length: number) => z.ZodType<T>) {
  return <const O extends ParamOptions>(description: string, options?: O) =>
    ({
      type,
      required: options?.required ?? false,
      description,
      length: options?.length ?? 255,
      schema: schema(options?.length ?? 255),
      ...(options?.unsupported ? { unsupported: options.unsupported } : {}),
      ...(options?.adminOnly ? { adminOnly: true } : {}),
    }) as ParamSpec<T, O extends { required: true } ? true : false>;
}

/** Builders: `param.uuid('the ID of the zone', { required: true })`. */
export const param = {
  string: builder<string>('string', text),
  uuid: builder<string>('uuid', () => uuid),
  /** -1 means all of them. */
  uuidOrAll: builder<string>('uuid', () => z.union([z.literal('-1'), uuid], 'must be a UUID or -1')),
  uuids: builder<string[]>('list', () =>
    list
      .transform((items) => items.map((item) => item.toLowerCase()))
      .refine((items) => items.every(isUuid), 'must be a comma list of UUIDs'),
  ),
  integer: builder<number>('integer', () => wholeNumber(-(2 ** 31), 2 ** 31 - 1)),
  long: builder<number>('long', () => wholeNumber(Number.MIN_SAFE_INTEGER, Number.MAX_SAFE_INTEGER)),
  boolean: builder<boolean>('boolean', () => boolean),
  list: builder<string[]>('list', () => list),
  date: builder<Date>('date', () => date),
  map: builder<Record<string, string>>('map', () => map),
  /** A map whose groups must stay apart: `iptonetworklist[0].networkid=…&iptonetworklist[0].ip=…`. */
  groups: builder<Record<string, string>[]>('map', () => groups),
};

/** For parameters of hypervisors, plugins and services that are not here, where leaving them out is no loss. */
export const ignored = (reason: string): { unsupported: Unsupported } => ({
  unsupported: { effect: 'ignored', reason },
});
/** For parameters that would change what the caller gets; `harmless` values ask for what happens anyway. */
export const refused = (reason: string, ...harmless: string[]): { unsupported: Unsupported } => ({
  unsupported: { effect: 'refused', reason, harmless },
});
/** For filters on what does not exist here. */
export const matchesNothing = (reason: string, ...harmless: string[]): { unsupported: Unsupported } => ({
  unsupported: { effect: 'nothing', reason, harmless },
});

/** Parameters that every list command takes. */
export const pagingParams = {
  keyword: param.string('rows whose name contains this'),
  page: param.integer('the page to list, from 1'),
  pagesize: param.integer('the number of rows per page'),
};

export const ownerParams = {
  account: param.string('rows of this account; needs domainid for accounts of other domains'),
  domainid: param.uuid('rows of this domain'),
  isrecursive: param.boolean('with domainid: also rows of the domains below'),
  listall: param.boolean('everything the caller may see, not only the own account'),
};

/** `projectid=-1` means rows of all projects too: there are none, so it changes nothing. */
export const projectFilter = {
  projectid: param.uuidOrAll('rows of this project', matchesNothing('there are no projects', '-1')),
};

export const iconFilter = {
  showicon: param.boolean('show icons', ignored('there are no icons')),
};

export const tagFilter = {
  tags: param.map('rows with all of these tags'),
};

/** For what cannot have tags. */
export const noTagFilter = {
  tags: param.map(
    'rows with these tags',
    matchesNothing('only instances, templates, ISOs, volumes and networks have tags'),
  ),
};
