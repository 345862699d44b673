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

/** One parameter of a command: what `listApis` advertises and how the wire's text becomes a value. */
export interface ParamSpec<T = unknown, R extends boolean = boolean> {
  readonly type: ParamType;
  readonly required: R;
  readonly description: string;
  readonly length: number;
  /** Reads text (or, for maps, `Record<string,string>[]`) into the value; its message names the rule that was broken. */
  readonly schema: z.ZodType<T>;
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

const text = (length: number) => z.string().max(length, `must not be longer than ${length} characters`);
const integer = z
  .string()
  .regex(/^-?\d{1,15}$/, 'must be a whole number')
  .transform(Number);
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
    /^\d{4}-\d{2}-\d{2}([ T]\d{2}:\d{2}:\d{2}([+-]\d{4}|Z)?)?$/,
    'must be yyyy-MM-dd or yyyy-MM-dd HH:mm:ss',
  )
  .transform((value) => new Date(value.replace(' ', 'T')));
/** Both map styles arrive here already merged: `details[0].k=v` and `details[0].key=k&details[0].value=v`. */
const map = z.record(z.string(), z.string());

function builder<T>(type: ParamType, schema: (length: number) => z.ZodType<T>) {
  return <const O extends { required?: boolean; length?: number }>(description: string, options?: O) =>
    ({
      type,
      required: options?.required ?? false,
      description,
      length: options?.length ?? 255,
      schema: schema(options?.length ?? 255),
    }) as ParamSpec<T, O extends { required: true } ? true : false>;
}

/** Builders: `param.uuid('the ID of the zone', { required: true })`. */
export const param = {
  string: builder<string>('string', text),
  uuid: builder<string>('uuid', () =>
    z
      .string()
      .transform((value) => value.toLowerCase())
      .refine((value) => uuidPattern.test(value) || value === '-1', 'must be a UUID'),
  ),
  integer: builder<number>('integer', () => integer),
  long: builder<number>('long', () => integer),
  boolean: builder<boolean>('boolean', () => boolean),
  list: builder<string[]>('list', () => list),
  date: builder<Date>('date', () => date),
  map: builder<Record<string, string>>('map', () => map),
};

/** Parameters that every list command takes. */
export const pagingParams = {
  keyword: param.string('List by keyword'),
  page: param.integer('the page to list, from 1'),
  pagesize: param.integer('the number of entries per page'),
};

export const ownerParams = {
  account: param.string('list resources by account. Must be used with the domainId parameter.'),
  domainid: param.uuid('list only resources belonging to the domain specified'),
  isrecursive: param.boolean(
    'defaults to false; if true, lists resources of the domain and all its children',
  ),
  listall: param.boolean('if true, lists everything the caller is authorized to see'),
};
