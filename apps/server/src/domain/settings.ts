import { isIPv4, isIPv6 } from 'node:net';
import { limitSettings } from './resource-types.ts';
import { templateSettings } from './template-settings.ts';
import { transferSettings } from './transfer-settings.ts';

interface SettingBase {
  readonly description: string;
  readonly category: string;
  readonly group: string;
  readonly subgroup: string;
}

export interface NumberSetting extends SettingBase {
  readonly kind: 'number';
  readonly default: number;
  readonly min: number;
  readonly max: number;
  /** Takes up to four digits after the point. Default: whole numbers alone. */
  readonly fractions?: true;
}

export interface BooleanSetting extends SettingBase {
  readonly kind: 'boolean';
  readonly default: boolean;
}

export interface TextSetting extends SettingBase {
  readonly kind: 'text';
  readonly default: string;
  /** What is wrong with a value, or undefined. */
  readonly problem: (value: string) => string | undefined;
  readonly options?: readonly string[];
}

export type SettingDefinition = NumberSetting | BooleanSetting | TextSetting;

const second = 1;
const hour = 3600 * second;
const directDownload = { category: 'Storage', group: 'Storage', subgroup: 'Direct download' } as const;
const instances = { category: 'Advanced', group: 'Compute', subgroup: 'Virtual machine' } as const;
const server = { category: 'Advanced', group: 'Management server', subgroup: 'General' } as const;

/**
 * Every setting. A value that differs from its default is a row of `configuration`; every server reads the row when it
 * needs the value, so a change takes effect at once and everywhere.
 */
export const settings = {
  'direct.download.connect.timeout': {
    ...directDownload,
    kind: 'number',
    default: 5000,
    min: 100,
    max: 60_000,
    description: 'Milliseconds a source may take to accept a connection',
  },
  'direct.download.stall.timeout': {
    ...directDownload,
    kind: 'number',
    default: 30_000,
    min: 1000,
    max: 600_000,
    description: 'Milliseconds without a byte after which a transfer from a source ends',
  },
  'direct.download.checksum.attempts': {
    ...directDownload,
    kind: 'number',
    default: 3,
    min: 1,
    max: 10,
    description: 'How often an image is fetched anew when its digest is wrong',
  },
  'direct.download.max.redirects': {
    ...directDownload,
    kind: 'number',
    default: 5,
    min: 0,
    max: 20,
    description: 'Redirects followed per request; each is checked by the egress policy',
  },
  'direct.download.max.virtual.size': {
    ...directDownload,
    kind: 'number',
    default: 2 * 1024 ** 4,
    min: 1024 ** 2,
    max: 64 * 1024 ** 4,
    description: 'The largest disk an image may describe, bytes',
  },
  'direct.download.max.transfer.size': {
    ...directDownload,
    kind: 'number',
    default: 1024 ** 4,
    min: 1024 ** 2,
    max: 64 * 1024 ** 4,
    description: 'The most bytes that are transferred for one image',
  },
  ...transferSettings,
  ...templateSettings,
  'direct.download.source.order': {
    ...directDownload,
    kind: 'text',
    default: 'priority',
    options: ['priority', 'location'],
    problem: oneOf('priority', 'location'),
    description: 'What orders the mirrors of a metalink first: their priority, or nearness to the host',
  },
  'direct.download.egress.allowed.cidrs': {
    ...directDownload,
    kind: 'text',
    default: '',
    problem: cidrListProblem,
    description: 'Comma list of CIDRs among loopback, link-local and private ranges that sources may be in',
  },
  'template.direct.download.default': {
    ...directDownload,
    kind: 'text',
    default: 'auto',
    options: ['auto', 'true', 'false'],
    problem: oneOf('auto', 'true', 'false'),
    description:
      'What a registration without the parameter directdownload means; auto: true where no secondary storage is',
  },
  'allow.public.user.templates': {
    ...directDownload,
    kind: 'boolean',
    default: true,
    description: 'Whether users may make their templates public',
  },
  'default.page.size': {
    ...server,
    kind: 'number',
    default: 500,
    min: 1,
    max: 10_000,
    description: 'Rows of a list when pagesize is absent, and the largest pagesize',
  },
  'session.timeout': {
    ...server,
    kind: 'number',
    default: 1800,
    min: 60,
    max: 7 * 24 * hour,
    description: 'Seconds without a call after which a session ends',
  },
  'session.lifetime': {
    ...server,
    kind: 'number',
    default: 7 * 24 * hour,
    min: 300,
    max: 90 * 24 * hour,
    description: 'Seconds after which a session ends even while it is used',
  },
  'job.retention.hours': {
    ...server,
    kind: 'number',
    default: 168,
    min: 1,
    max: 87_600,
    description: 'Hours that the answer of an ended job is kept',
  },
  'event.purge.delay': {
    ...server,
    kind: 'number',
    default: 365,
    min: 0,
    max: 36_500,
    description: 'Days that events are kept; 0: for ever',
  },
  'agent.reconnect.timeout': {
    ...server,
    kind: 'number',
    default: 60,
    min: 1,
    max: 3600,
    description: 'Seconds a host may be away before work on it is given up',
  },
  'instance.name': {
    ...instances,
    kind: 'text',
    default: 'VM',
    problem: (value) =>
      /^[A-Za-z0-9]{1,16}$/.test(value) ? undefined : 'must be 1 to 16 letters and digits',
    description: 'The end of the names that instances have on their hosts',
  },
  'vm.stop.timeout': {
    ...instances,
    kind: 'number',
    default: 60,
    min: 1,
    max: 3600,
    description: 'Seconds a guest may take to shut down before its power is cut',
  },
  'ha.lease.seconds': {
    ...instances,
    kind: 'number',
    default: 30,
    min: 3,
    max: 3600,
    description:
      'Seconds after which a host that has lost its storage and all servers ends its highly available instances by itself; holds for instances from their next start',
  },
  'ha.vm.restart.hostup': {
    ...instances,
    kind: 'boolean',
    default: true,
    description:
      'Whether a highly available instance that ended without being asked to, on a host that is there, is started again',
  },
  'expunge.delay': {
    ...instances,
    kind: 'number',
    default: 24 * hour,
    min: 0,
    max: 365 * 24 * hour,
    description: 'Seconds that a destroyed instance can be recovered',
  },
  'expunge.interval': {
    ...instances,
    kind: 'number',
    default: 24 * hour,
    min: 1,
    max: 365 * 24 * hour,
    description: 'Seconds between two looks for destroyed instances to expunge',
  },
  'allow.user.expunge.recover.vm': {
    ...instances,
    kind: 'boolean',
    default: true,
    description: 'Whether users may expunge and recover their instances',
  },
  'template.preload.pool.size': {
    ...directDownload,
    kind: 'number',
    default: 8,
    min: 1,
    max: 1000,
    description: 'Storage pools that prepareTemplate brings a template to at the same time',
  },
  'extract.url.expiration.interval': {
    ...server,
    kind: 'number',
    default: 4 * hour,
    min: 60,
    max: 30 * 24 * hour,
    description: 'Seconds for which what extractTemplate and extractIso offer can be downloaded',
  },
  'image.store.check.interval': {
    ...server,
    kind: 'number',
    default: 7 * 24,
    min: 0,
    max: 10_000,
    description: 'Hours after which an image on an image store is read back and compared again; 0: never',
  },
  'cpu.overprovisioning.factor': {
    ...instances,
    kind: 'number',
    fractions: true,
    default: 4,
    min: 1,
    max: 100,
    description: 'How many virtual CPUs a CPU of a host may carry',
  },
  'mem.overprovisioning.factor': {
    ...instances,
    kind: 'number',
    fractions: true,
    default: 1,
    min: 1,
    max: 10,
    description: 'How much memory of guests a byte of a host may carry',
  },
  'cluster.storage.capacity.notificationthreshold': {
    ...server,
    kind: 'text',
    default: '0.75',
    problem: shareProblem,
    description: 'The share of a storage pool in use from which there is an alert',
  },
  'cluster.memory.allocated.capacity.notificationthreshold': {
    ...server,
    kind: 'text',
    default: '0.75',
    problem: shareProblem,
    description: 'The share of a cluster’s memory given to instances from which there is an alert',
  },
  'cluster.cpu.allocated.capacity.notificationthreshold': {
    ...server,
    kind: 'text',
    default: '0.75',
    problem: shareProblem,
    description: 'The share of a cluster’s CPUs given to instances from which there is an alert',
  },
  ...limitSettings,
} as const satisfies Record<string, SettingDefinition>;

export type SettingName = keyof typeof settings;

type ValueOf<D extends SettingDefinition> = D['kind'] extends 'number'
  ? number
  : D['kind'] extends 'boolean'
    ? boolean
    : string;

export type SettingValue<N extends SettingName> = ValueOf<(typeof settings)[N]>;

/** A value for every setting. */
export type Settings = { readonly [N in SettingName]: SettingValue<N> };

export function isSettingName(name: string): name is SettingName {
  return Object.hasOwn(settings, name);
}

/** Reads a setting's text. @returns the value, or what is wrong with it */
export function parseSetting(
  definition: SettingDefinition,
  text: string,
): { readonly value: number | boolean | string } | { readonly problem: string } {
  const trimmed = text.trim();
  switch (definition.kind) {
    case 'number': {
      const pattern = definition.fractions ? /^-?\d{1,16}(\.\d{1,4})?$/ : /^-?\d{1,16}$/;
      const value = pattern.test(trimmed) ? Number(trimmed) : Number.NaN;
      const kind = definition.fractions ? 'number' : 'whole number';
      const good = value >= definition.min && value <= definition.max;
      return good ? { value } : { problem: `must be a ${kind} from ${definition.min} to ${definition.max}` };
    }
    case 'boolean':
      return /^(true|false)$/i.test(trimmed)
        ? { value: trimmed.toLowerCase() === 'true' }
        : { problem: 'must be true or false' };
    case 'text': {
      const problem = definition.problem(trimmed);
      return problem === undefined ? { value: trimmed } : { problem };
    }
  }
}

/** Every setting's value, from the stored texts. A stored text that is no longer legal counts as absent. */
export function settingsFrom(stored: ReadonlyMap<string, string>): Settings {
  const values = Object.entries<SettingDefinition>(settings).map(([name, definition]) => {
    const text = stored.get(name);
    const parsed = text === undefined ? undefined : parseSetting(definition, text);
    return [name, parsed && 'value' in parsed ? parsed.value : definition.default];
  });
  // built from the table's own entries, so every name has a value of its kind
  return Object.fromEntries(values) as Settings;
}

/** The CIDRs of a comma list; only for text that `parseSetting` let through. */
export function cidrsOf(text: string): string[] {
  return text
    .split(',')
    .map((item) => item.trim())
    .filter((item) => item !== '');
}

function oneOf(...options: readonly string[]): (value: string) => string | undefined {
  return (value) => (options.includes(value) ? undefined : `must be one of ${options.join(', ')}`);
}

function shareProblem(text: string): string | undefined {
  return /^(0(\.\d{1,4})?|1(\.0{1,4})?)$/.test(text) ? undefined : 'must be a share from 0 to 1, like 0.75';
}

function cidrListProblem(value: string): string | undefined {
  const bad = cidrsOf(value).find((cidr) => !isCidr(cidr));
  return bad === undefined ? undefined : `${bad} is no CIDR like 10.1.0.0/16 or fd00::/8`;
}

function isCidr(text: string): boolean {
  const [address = '', prefix = '', ...rest] = text.split('/');
  const bits = isIPv4(address) ? 32 : isIPv6(address) && !address.includes('%') ? 128 : -1;
  return rest.length === 0 && /^\d{1,3}$/.test(prefix) && Number(prefix) <= bits;
}
