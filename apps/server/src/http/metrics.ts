import { type RawBuilder, sql } from 'kysely';
import { Counter, collectDefaultMetrics, Gauge, Histogram, Registry } from 'prom-client';
import type { Database } from '../store/database.ts';

/** What Prometheus reads from this server; text exposition format 0.0.4. */
export interface Metrics {
  readonly contentType: string;
  text(): Promise<string>;
  /** Counts one API call. */
  called(call: { readonly command: string; readonly status: number; readonly seconds: number }): void;
}

/** From a list answered from memory to a search over everything. */
const callBuckets = [0.005, 0.02, 0.05, 0.15, 0.5, 2, 10];

/**
 * Figures of this process and of the cloud; the latter are counted in the database when somebody asks, so that any server
 * tells them.
 */
export function makeMetrics(database: Database): Metrics {
  const registry = new Registry();
  collectDefaultMetrics({ register: registry, prefix: 'millrace_server_' });
  const calls = new Counter({
    name: 'millrace_api_calls_total',
    help: 'API calls answered by this server, by status class',
    labelNames: ['status'],
    registers: [registry],
  });
  const durations = new Histogram({
    name: 'millrace_api_call_seconds',
    help: 'How long API calls took on this server',
    labelNames: ['command'],
    buckets: callBuckets,
    registers: [registry],
  });
  for (const figure of figuresOfTheCloud) addGauge(registry, database, figure);
  return {
    contentType: registry.contentType,
    text: () => registry.metrics(),
    called({ command, status, seconds }) {
      calls.inc({ status: `${Math.floor(status / 100)}xx` });
      durations.observe({ command }, seconds);
    },
  };
}

interface Figure {
  readonly name: string;
  readonly help: string;
  readonly label: string;
  /** Rows of `key` and `count`. */
  readonly query: RawBuilder<{ readonly key: string; readonly count: number }>;
}

const figuresOfTheCloud: readonly Figure[] = [
  {
    name: 'millrace_hosts',
    help: 'Hosts of the cloud, by status',
    label: 'status',
    query: sql`select status as key, count(*)::int as count from host where removed is null group by 1`,
  },
  {
    name: 'millrace_instances',
    help: 'Instances of the cloud, by state',
    label: 'state',
    query: sql`select state as key, count(*)::int as count from vm_instance where removed is null group by 1`,
  },
  {
    name: 'millrace_template_copies',
    help: 'Copies of templates on storage pools, by state of the download',
    label: 'state',
    query: sql`select download_state as key, count(*)::int as count from template_spool_ref group by 1`,
  },
  {
    name: 'millrace_jobs_unfinished',
    help: 'Asynchronous jobs of the cloud that have not ended, by command',
    label: 'command',
    query: sql`select job_cmd as key, count(*)::int as count from async_job where job_status = 0 group by 1`,
  },
];

function addGauge(registry: Registry, database: Database, { name, help, label, query }: Figure): void {
  const gauge = new Gauge({
    name,
    help,
    labelNames: [label],
    registers: [registry],
    async collect() {
      const { rows } = await query.execute(database);
      // what is no longer there must not keep its last figure
      gauge.reset();
      for (const { key, count } of rows) gauge.set({ [label]: key }, count);
    },
  });
}
