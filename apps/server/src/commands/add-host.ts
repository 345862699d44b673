import { createHash, randomUUID, X509Certificate } from 'node:crypto';
import { hostname } from 'node:os';
import { entityNotFound, invalidParameter, type ParamsOf, specs } from '@millrace/api';
import { createJoinTokenFor } from '../agents/join-token.ts';
import type { ServerConfig } from '../config.ts';
import type { Executor } from '../store/database.ts';
import { recordEvent } from '../store/events.ts';
import { listHostRows } from '../store/host-list.ts';
import { everything } from '../store/paging.ts';
import { listClusterRows } from '../store/zone-list.ts';
import { implement } from './command.ts';
import { describeHosts } from './responses/describe-hosts.ts';
import { tagList } from './storage-tags.ts';

type Params = ParamsOf<(typeof specs.addHost)['params']>;

/**
 * CloudStack's server goes to the host by SSH. Here hosts come to the server: the answer has the command that makes the
 * machine this host, with a token that works once, within an hour. Until then the host is Connecting.
 */
export const addHost = implement(specs.addHost, async ({ params, database, caller, config }) => {
  if (params.hypervisor.toLowerCase() !== 'kvm') throw invalidParameter('hypervisor', 'must be KVM');
  const name = hostNameOf(params.url);
  const enabled = resourceStateOf(params.allocationstate);
  const tags = tagList('hosttags', params.hosttags ?? []);
  return database.transaction().execute(async (trx) => {
    const cluster = await clusterOf(trx, params);
    const taken = await trx
      .selectFrom('host')
      .select('id')
      .where('name', '=', name)
      .where('data_center_id', '=', cluster.data_center_id)
      .where('removed', 'is', null)
      .executeTakeFirst();
    if (taken) throw invalidParameter('url', `the zone has a host ${name} already`);
    const uuid = randomUUID();
    const host = await trx
      .insertInto('host')
      .values({
        uuid,
        name,
        status: 'Connecting',
        resource_state: enabled,
        tags,
        data_center_id: cluster.data_center_id,
        pod_id: cluster.pod_id,
        cluster_id: cluster.id,
      })
      .returning('id')
      .executeTakeFirstOrThrow();
    const { certificate } = await trx
      .selectFrom('certificate_authority')
      .select('certificate')
      .executeTakeFirstOrThrow();
    const token = await createJoinTokenFor(trx, {
      clusterId: cluster.id,
      forHostId: host.id,
      fingerprint: fingerprintOf(certificate),
      now: new Date(),
    });
    await recordEvent(trx, {
      type: 'HOST.CREATE',
      description: `Host ${name} may join cluster ${cluster.name}`,
      userId: caller.userId,
      accountId: caller.accountId,
      resourceType: 'Host',
      resourceUuid: uuid,
    });
    const { rows } = await listHostRows(trx, { uuid }, { limit: 1, offset: 0 });
    const [entity] = await describeHosts(trx, rows);
    const joincommand = `millrace agent join ${agentUrlOf(config)} --token ${token}`;
    return { list: [{ ...entity, jointoken: token, joincommand }], count: 1 };
  });
});

/** What hosts are called: a name or an address. */
export function isHostLabel(name: string): boolean {
  return /^[A-Za-z0-9]([A-Za-z0-9.-]{0,252}[A-Za-z0-9])?$/.test(name);
}

/** The name in `http://NAME`, as CloudStack's clients send it, or the bare name. */
function hostNameOf(url: string): string {
  const name = /^[a-z]+:\/\//i.test(url) ? URL.parse(url)?.hostname : url;
  if (name && isHostLabel(name)) return name;
  throw invalidParameter('url', 'must be the name or address of the host, or http://NAME');
}

function resourceStateOf(allocationState: string | undefined): 'Enabled' | 'Disabled' {
  const state = (allocationState ?? 'Enabled').toLowerCase();
  if (state === 'enabled') return 'Enabled';
  if (state === 'disabled') return 'Disabled';
  throw invalidParameter('allocationstate', 'must be Enabled or Disabled');
}

async function clusterOf(executor: Executor, params: Params) {
  const { rows } = await listClusterRows(
    executor,
    { zoneUuid: params.zoneid, podUuid: params.podid },
    everything,
  );
  if (params.clusterid !== undefined) {
    const cluster = rows.find(({ uuid }) => uuid === params.clusterid);
    if (!cluster) throw entityNotFound('clusterid', params.clusterid);
    return cluster;
  }
  const named = rows.filter(({ name }) => params.clustername === undefined || name === params.clustername);
  const [only, other] = named;
  if (only && !other) return only;
  const names = rows.map(({ name }) => name).join(', ') || 'none';
  throw invalidParameter(
    params.clustername === undefined ? 'clusterid' : 'clustername',
    `must name one cluster of the pod in this zone; there are: ${names}`,
  );
}

/** What a machine that joins is told to go to: the configured address, or what can be guessed of it. */
function agentUrlOf(config: ServerConfig): string {
  if (config.agentUrl !== undefined) return config.agentUrl.replaceAll(',', ' ');
  const host = ['0.0.0.0', '::'].includes(config.agentHost) ? hostname() : config.agentHost;
  return `https://${host.includes(':') ? `[${host}]` : host}:${config.agentPort}`;
}

/** As the tokens have it, and agents compare it: SHA-256 of the certificate's DER, hex. */
function fingerprintOf(certificate: string): string {
  return createHash('sha256').update(new X509Certificate(certificate).raw).digest('hex');
}
