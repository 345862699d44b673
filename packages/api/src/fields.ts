/**
 * Types that CloudStack's `listApis` gives for response fields. Emitted JSON must match or the field be absent: strictly
 * typed clients fail the whole call otherwise.
 */
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
  | 'double'
  | WordType
  | ObjectType;

/** Names CloudStack gives to enumerations; on the wire a string. */
export type WordType =
  | 'imageformat'
  | 'hypervisortype'
  | 'status'
  | 'type'
  | 'state'
  | 'storagepoolstatus'
  | 'scopetype';
/** Names CloudStack gives to nested single objects. */
export type ObjectType =
  | 'object'
  | 'responseobject'
  | 'resourceiconresponse'
  | 'hostharesponse'
  | 'outofbandmanagementresponse'
  | 'consoleendpointwebsocketresponse';

export interface FieldSpec {
  readonly type: FieldType;
  readonly description: string;
  readonly response?: FieldSpecs;
}

/** The fields of an entity. Order is the order in `listApis`. */
export type FieldSpecs = Readonly<Record<string, FieldSpec>>;

type JsonOf<S extends FieldSpec> = S['response'] extends FieldSpecs
  ? readonly EntityOf<S['response']>[]
  : S['type'] extends 'string' | 'date' | WordType
    ? string
    : S['type'] extends 'integer' | 'long' | 'float' | 'double'
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
  double: (description: string) => ({ type: 'double', description }) as const,
  map: (description: string) => ({ type: 'map', description }) as const,
  list: (description: string) => ({ type: 'list', description }) as const,
  /** A string under the name of its enumeration. */
  word: (type: WordType, description: string) => ({ type, description }) as const,
  object: (description: string, type: ObjectType = 'object') => ({ type, description }) as const,
  /** Nested rows; CloudStack calls some of them `set` and others `list`. */
  set: <const F extends FieldSpecs>(description: string, response: F) =>
    ({ type: 'set', description, response }) as const,
  rows: <const F extends FieldSpecs>(description: string, response: F) =>
    ({ type: 'list', description, response }) as const,
  /** A set of plain values. */
  emptySet: (description: string) => ({ type: 'set', description }) as const,
};

/** Fields that CloudStack adds to every response entity. */
export const jobFields = {
  jobid: field.string('the UUID of the latest async job acting on this object'),
  jobstatus: field.integer('the current status of the latest async job acting on this object'),
} as const;

/** The entity of commands that only succeed. */
export const successFields = {
  displaytext: field.string('what happened'),
  success: field.boolean('whether it succeeded'),
  ...jobFields,
} as const;

/** `yyyy-MM-dd'T'HH:mm:ssZ` with the zone as +0000, as every CloudStack client parses it. */
export function formatDate(date: Date): string {
  return `${date.toISOString().slice(0, 19)}+0000`;
}

/**
 * What is wrong with an entity's JSON types, as `path: problem` lines; empty when it is as its table says. Fields that
 * the table does not name are problems too.
 */
export function fieldProblems(fields: FieldSpecs, entity: object, path = ''): string[] {
  return Object.entries(entity).flatMap(([name, value]) => {
    if (value === undefined) return [];
    const at = path === '' ? name : `${path}.${name}`;
    const spec = fields[name];
    if (!spec) return [`${at}: not in the table of fields`];
    const { response } = spec;
    if (response && Array.isArray(value)) {
      return value.flatMap((row: unknown, index) =>
        typeof row === 'object' && row !== null
          ? fieldProblems(response, row, `${at}[${index}]`)
          : [`${at}[${index}]: must be an object`],
      );
    }
    return hasJsonType(spec.type, value) ? [] : [`${at}: must be of type ${spec.type}`];
  });
}

const datePattern = /^\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}\+0000$/;

function hasJsonType(type: FieldType, value: unknown): boolean {
  switch (type) {
    case 'date':
      return typeof value === 'string' && datePattern.test(value);
    case 'integer':
    case 'long':
      return Number.isSafeInteger(value);
    case 'float':
    case 'double':
      return typeof value === 'number' && Number.isFinite(value);
    case 'boolean':
      return typeof value === 'boolean';
    case 'list':
    case 'set':
      return Array.isArray(value);
    case 'map':
      return isPlainObject(value) && Object.values(value).every((item) => typeof item === 'string');
    case 'object':
    case 'responseobject':
    case 'resourceiconresponse':
    case 'hostharesponse':
    case 'outofbandmanagementresponse':
    case 'consoleendpointwebsocketresponse':
      return isPlainObject(value);
    default:
      return typeof value === 'string';
  }
}

function isPlainObject(value: unknown): value is object {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
