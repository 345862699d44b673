/** Types that CloudStack's `listApis` gives for response fields. Emitted JSON must match or the field be absent. */
export type FieldType =
  | 'string'
  | 'integer'
  | 'long'
  | 'boolean'
  | 'date'
  | 'map'
  | 'list'
  | 'set'
  | 'float'
  | 'object';

export interface FieldSpec {
  readonly type: FieldType;
  readonly description: string;
  readonly response?: FieldSpecs;
}

/** The fields of an entity. Order is the order of emission. */
export type FieldSpecs = Readonly<Record<string, FieldSpec>>;

type JsonOf<S extends FieldSpec> = S['response'] extends FieldSpecs
  ? EntityOf<S['response']>[]
  : S['type'] extends 'string' | 'date'
    ? string
    : S['type'] extends 'integer' | 'long' | 'float'
      ? number
      : S['type'] extends 'boolean'
        ? boolean
        : S['type'] extends 'map'
          ? Readonly<Record<string, string>>
          : S['type'] extends 'list' | 'set'
            ? readonly unknown[]
            : unknown;

/** A response entity: every field may be absent, none may be null. */
export type EntityOf<F extends FieldSpecs> = { readonly [K in keyof F]?: JsonOf<F[K]> | undefined };

/** Field builders: `field.string('the name of the zone')`. */
export const field = {
  string: (description: string) => ({ type: 'string', description }) as const,
  integer: (description: string) => ({ type: 'integer', description }) as const,
  long: (description: string) => ({ type: 'long', description }) as const,
  boolean: (description: string) => ({ type: 'boolean', description }) as const,
  date: (description: string) => ({ type: 'date', description }) as const,
  float: (description: string) => ({ type: 'float', description }) as const,
  map: (description: string) => ({ type: 'map', description }) as const,
  list: (description: string) => ({ type: 'list', description }) as const,
  object: (description: string) => ({ type: 'object', description }) as const,
  set: <const F extends FieldSpecs>(description: string, response: F) =>
    ({ type: 'set', description, response }) as const,
};

/** Fields that CloudStack adds to every response entity. */
export const jobFields = {
  jobid: field.string('the UUID of the latest async job acting on this object'),
  jobstatus: field.integer('the current status of the latest async job acting on this object'),
};

/** `yyyy-MM-dd'T'HH:mm:ssZ` with the zone as +0000, as every CloudStack client parses it. */
export function formatDate(date: Date): string {
  return `${date.toISOString().slice(0, 19)}+0000`;
}
