import type { ActorName } from './actors.ts';
import type { Moment } from './moments.ts';

/** How what was under way ends: `either` where the moment decides, for instance whether the answer had been sent. */
export type Expectation = 'succeeds' | 'fails' | 'either';

export interface FaultRow {
  readonly actor: ActorName;
  readonly moment: Moment;
  readonly expect: Expectation;
  /** Also part of npm test. */
  readonly always: boolean;
}

/** A `!` before a moment makes the row part of npm test. */
function rows(
  actor: ActorName,
  expectations: Readonly<Partial<Record<Moment | `!${Moment}`, Expectation>>>,
): FaultRow[] {
  return Object.entries(expectations).map(([key, expect]) => ({
    actor,
    moment: key.replace('!', '') as Moment,
    expect,
    always: key.startsWith('!'),
  }));
}

/** What survives a server, or a database, that dies: everything but the one answer that was on its way. */
const durable = {
  probe: 'either',
  'transfer 0 %': 'succeeds',
  'transfer 50 %': 'succeeds',
  'transfer 100 %': 'succeeds',
  commit: 'succeeds',
  'create disk': 'succeeds',
  start: 'succeeds',
  restore: 'succeeds',
  stop: 'succeeds',
  'ISO attach': 'succeeds',
  migration: 'succeeds',
} as const;

const table: readonly FaultRow[] = [
  ...rows('server', { ...durable, '!expunge': 'succeeds' }),
  ...rows('rolling restart', {
    'transfer 50 %': 'succeeds',
    commit: 'succeeds',
    start: 'succeeds',
    migration: 'succeeds',
    expunge: 'succeeds',
  }),
  ...rows('PostgreSQL', { ...durable, '!expunge': 'succeeds' }),
  ...rows('agent', {
    'transfer 0 %': 'succeeds',
    '!transfer 50 %': 'succeeds',
    'transfer 100 %': 'succeeds',
    commit: 'succeeds',
    'create disk': 'succeeds',
    start: 'succeeds',
    restore: 'succeeds',
    stop: 'succeeds',
    expunge: 'succeeds',
    'ISO attach': 'succeeds',
    // what it was about to send it may have sent
    migration: 'either',
    'a running instance': 'succeeds',
  }),
  ...rows('libvirtd', {
    'transfer 50 %': 'succeeds',
    '!start': 'either',
    stop: 'either',
    expunge: 'either',
    migration: 'either',
    'ISO attach': 'succeeds',
    'a running instance': 'succeeds',
  }),
  ...rows('QEMU', {
    '!a running instance': 'succeeds',
    start: 'either',
    stop: 'succeeds',
    expunge: 'succeeds',
    migration: 'either',
    'ISO attach': 'either',
  }),
  ...rows('host power', {
    'transfer 0 %': 'succeeds',
    '!transfer 50 %': 'succeeds',
    commit: 'either',
    start: 'either',
    stop: 'fails',
    expunge: 'succeeds',
    migration: 'either',
  }),
  ...rows('network cut', {
    'transfer 0 %': 'succeeds',
    'transfer 50 %': 'succeeds',
    'transfer 100 %': 'succeeds',
    commit: 'succeeds',
    start: 'succeeds',
    stop: 'succeeds',
    expunge: 'succeeds',
    migration: 'either',
  }),
  ...rows('network slow', { 'transfer 0 %': 'succeeds', 'transfer 50 %': 'succeeds', migration: 'succeeds' }),
  ...rows('source', {
    probe: 'either',
    'transfer 0 %': 'fails',
    '!transfer 50 %': 'fails',
    'ISO attach': 'fails',
  }),
  ...rows('source for a moment', {
    'transfer 0 %': 'succeeds',
    'transfer 50 %': 'succeeds',
    'transfer 100 %': 'succeeds',
    'transfer from mirrors': 'succeeds',
  }),
  ...rows('mirror', {
    'transfer 0 % of two mirrors': 'succeeds',
    '!transfer 50 % of two mirrors': 'succeeds',
  }),
  ...rows('mirror cut off', { 'transfer 50 % of two mirrors': 'succeeds' }),
  ...rows('DNS', { probe: 'either', 'transfer 50 %': 'either' }),
  ...rows('pool full', { '!transfer 0 %': 'fails', 'ISO attach': 'fails' }),
  ...rows('pool gone', { 'transfer 100 %': 'either', 'create disk': 'either', restore: 'either' }),
  ...rows('clock jump', {
    'transfer 50 %': 'succeeds',
    start: 'succeeds',
    migration: 'succeeds',
    'ISO attach': 'succeeds',
  }),
];

const order = [...new Set(table.map(({ moment }) => moment))];

/** By moments, so that no part is killed so often within a minute that its supervisor takes it for broken. */
export const faultRows: readonly FaultRow[] = table.toSorted(
  (a, b) => order.indexOf(a.moment) - order.indexOf(b.moment),
);
