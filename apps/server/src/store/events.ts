import { randomUUID } from 'node:crypto';
import { addressOfCall } from './call-origin.ts';
import type { Executor } from './database.ts';

/** Event types in CloudStack's spelling; those that it lacks (…COPY.REMOVE, EVENTS.DELETE, …SOURCE.CHANGED, STORAGE.PARTIAL.REMOVE) in its style. */
export const eventTypes = [
  'DOMAIN.CREATE',
  'DOMAIN.UPDATE',
  'DOMAIN.DELETE',
  'ACCOUNT.CREATE',
  'ACCOUNT.UPDATE',
  'ACCOUNT.ENABLE',
  'ACCOUNT.DISABLE',
  'ACCOUNT.LOCK',
  'ACCOUNT.DELETE',
  'USER.CREATE',
  'USER.UPDATE',
  'USER.ENABLE',
  'USER.DISABLE',
  'USER.LOCK',
  'USER.DELETE',
  'ROLE.CREATE',
  'ROLE.UPDATE',
  'ROLE.DELETE',
  'ROLE.PERMISSION.CREATE',
  'ROLE.PERMISSION.UPDATE',
  'ROLE.PERMISSION.DELETE',
  'USER.LOGIN',
  'USER.LOGOUT',
  'REGISTER.USER.KEY',
  'ZONE.CREATE',
  'ZONE.EDIT',
  'ZONE.DELETE',
  'POD.CREATE',
  'POD.EDIT',
  'POD.DELETE',
  'CLUSTER.CREATE',
  'CLUSTER.EDIT',
  'CLUSTER.DELETE',
  'NETWORK.CREATE',
  'NETWORK.UPDATE',
  'NETWORK.DELETE',
  'PHYSICAL.NETWORK.CREATE',
  'PHYSICAL.NETWORK.UPDATE',
  'PHYSICAL.NETWORK.DELETE',
  'TRAFFIC.TYPE.CREATE',
  'NETWORK.OFFERING.CREATE',
  'NETWORK.OFFERING.EDIT',
  'NETWORK.OFFERING.DELETE',
  'VLAN.IP.RANGE.CREATE',
  'VLAN.IP.RANGE.DELETE',
  'CONFIGURATION.VALUE.EDIT',
  'EVENTS.DELETE',
  'RESOURCE.LIMIT.UPDATE',
  'MAINT.PREPARE.PS',
  'MAINT.CANCEL.PS',
  'TEMPLATE.CREATE',
  'TEMPLATE.UPDATE',
  'TEMPLATE.COPY',
  'TEMPLATE.DELETE',
  'TEMPLATE.COPY.REMOVE',
  'TEMPLATE.SOURCE.CHANGED',
  'TEMPLATE.DOWNLOAD.FAILURE',
  'TEMPLATE.DOWNLOAD.SUCCESS',
  'TEMPLATE.EXTRACT',
  'TEMPLATE.COPY.DAMAGED',
  'TEMPLATE.DIRECT.DOWNLOAD.FAILURE',
  'TEMPLATE.DIRECT.DOWNLOAD.START',
  'TEMPLATE.DIRECT.DOWNLOAD.SUCCESS',
  'TEMPLATE.DIRECT.DOWNLOAD.CERTIFICATE.UPLOAD',
  'TEMPLATE.DIRECT.DOWNLOAD.CERTIFICATE.REVOKE',
  'ISO.CREATE',
  'ISO.UPDATE',
  'ISO.DELETE',
  'ISO.COPY.REMOVE',
  'ISO.SOURCE.CHANGED',
  'ISO.DOWNLOAD.FAILURE',
  'ISO.DOWNLOAD.SUCCESS',
  'ISO.EXTRACT',
  'ISO.COPY.DAMAGED',
  'ISO.DIRECT.DOWNLOAD.FAILURE',
  'ISO.DIRECT.DOWNLOAD.SUCCESS',
  'ISO.ATTACH',
  'ISO.DETACH',
  'VM.CREATE',
  'VM.START',
  'VM.STOP',
  'VM.REBOOT',
  'VM.DESTROY',
  'VM.EXPUNGE',
  'VM.RECOVER',
  'VM.UPGRADE',
  'VM.CONSOLE',
  'CREATE_TAGS',
  'DELETE_TAGS',
  'VOLUME.CREATE',
  'VOLUME.ATTACH',
  'VOLUME.DETACH',
  'VOLUME.RESIZE',
  'VOLUME.DELETE',
  'VM.RESTORE',
  'VM.MIGRATE',
  'MAINT.PREPARE',
  'MAINT.CANCEL',
  'IMAGE.STORE.CREATE',
  'IMAGE.STORE.UPDATE',
  'IMAGE.STORE.DELETE',
  'STORAGE.POOL.CREATE',
  'STORAGE.POOL.EDIT',
  'STORAGE.POOL.DELETE',
  'STORAGE.PARTIAL.REMOVE',
  'HOST.CREATE',
  'HOST.RECONNECT',
  'SERVICE.OFFERING.CREATE',
  'SERVICE.OFFERING.EDIT',
  'SERVICE.OFFERING.DELETE',
  'HOST.DELETE',
  'VM.UPDATE',
  'VM.RESETPASSWORD',
  'VM.RESETSSHKEY',
  'REGISTER.SSH.KEYPAIR',
  'CREATE.SSH.KEYPAIR',
  'DELETE.SSH.KEYPAIR',
  'REGISTER.USER.DATA',
  'DELETE.USER.DATA',
  'LINK.USER.DATA',
  'HOST.CONNECT',
  'HOST.DISCONNECT',
  'HOST.EDIT',
  'HOST.DECLARE.DEGRADED',
  'HOST.CANCEL.DEGRADED',
  'ALERT.MEMORY',
  'ALERT.CPU',
  'ALERT.STORAGE',
  'ALERT.COMPUTE.HOST',
  'ALERT.USERVM',
] as const;

export type EventType = (typeof eventTypes)[number];

export interface NewEvent {
  readonly type: EventType;
  /** Default Completed. */
  readonly state?: 'Created' | 'Scheduled' | 'Started' | 'Completed';
  /** Default INFO. */
  readonly level?: 'INFO' | 'WARN' | 'ERROR';
  /** Shown to users of the account: no credentials, no names of hosts. */
  readonly description: string;
  readonly userId?: number | undefined;
  readonly accountId?: number | undefined;
  readonly resourceType?: string | undefined;
  readonly resourceUuid?: string | undefined;
  readonly jobUuid?: string | undefined;
  /** The first event of the chain this one belongs to; with `jobUuid` it is found by the job. */
  readonly startUuid?: string | undefined;
  /** Default: that of the call that is being answered, when it is this user's. */
  readonly clientAddress?: string | undefined;
}

/** Writes an event, in the transaction of what it tells. @returns its UUID */
export async function recordEvent(executor: Executor, event: NewEvent): Promise<string> {
  const uuid = randomUUID();
  const domain = event.accountId
    ? await executor
        .selectFrom('account')
        .select('domain_id')
        .where('id', '=', event.accountId)
        .executeTakeFirst()
    : undefined;
  const startUuid =
    event.startUuid ?? (event.jobUuid ? await firstOfJob(executor, event.jobUuid) : undefined);
  await executor
    .insertInto('event')
    .values({
      uuid,
      type: event.type,
      state: event.state ?? 'Completed',
      level: event.level ?? 'INFO',
      description: event.description,
      user_id: event.userId ?? null,
      account_id: event.accountId ?? null,
      domain_id: domain?.domain_id ?? null,
      resource_type: event.resourceType ?? null,
      resource_uuid: event.resourceUuid ?? null,
      job_uuid: event.jobUuid ?? null,
      start_uuid: startUuid ?? null,
      client_address: event.clientAddress ?? addressOfCall(event.userId) ?? null,
    })
    .execute();
  return uuid;
}

async function firstOfJob(executor: Executor, jobUuid: string): Promise<string | undefined> {
  const row = await executor
    .selectFrom('event')
    .select('uuid')
    .where('job_uuid', '=', jobUuid)
    .orderBy('id')
    .limit(1)
    .executeTakeFirst();
  return row?.uuid;
}

/** Rows that one statement deletes: a table that was let grow must not be locked for long. */
const deletedAtOnce = 5000;

/** Deletes events that are older than `ageMs`. @returns how many */
export async function deleteOldEvents(executor: Executor, ageMs: number): Promise<number> {
  const result = await executor
    .deleteFrom('event')
    .where('id', 'in', (query) =>
      query
        .selectFrom('event')
        .select('id')
        .where('created', '<', new Date(Date.now() - ageMs))
        .limit(deletedAtOnce),
    )
    .executeTakeFirst();
  return Number(result.numDeletedRows);
}
