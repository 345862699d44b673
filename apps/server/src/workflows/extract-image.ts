import { randomUUID } from 'node:crypto';
import { ApiError, type EntityOf, type extractionFields, formatDate } from '@millrace/api';
import { AgentCallError } from '../domain/failure-policy.ts';
import type { JobContext } from '../jobs/job-context.ts';
import type { JobDefinition } from '../jobs/job-runner.ts';
import type { Executor } from '../store/database.ts';
import { recordEvent } from '../store/events.ts';
import type { Row } from '../store/schema.ts';
import { readSetting } from '../store/settings.ts';
import { storedCopies } from '../store/stored-copies.ts';
import type { WorkflowDeps } from './host-steps.ts';
import { kindOf } from './record-copy.ts';
import { imageFormatOf, loadTemplateRow } from './records.ts';
import { serveCopy } from './serve-copy.ts';

type Extraction = EntityOf<typeof extractionFields>;
type Command = 'extractTemplate' | 'extractIso';

/**
 * Offers a copy of a template or ISO to users: a URL that is itself the permission, and expires. The copy may be on an
 * image store or on a storage pool, so what hosts download themselves can be had, too.
 */
export function extractImage(deps: WorkflowDeps): JobDefinition<Command> {
  return {
    async run(context) {
      const { templateId, zoneId } = context.parameters;
      context.progress.report({ phase: 'offering', percent: 10 });
      const template = await context.read((database) => loadTemplateRow(database, templateId));
      const lifetimeSeconds = await context.read((database) =>
        readSetting(database, 'extract.url.expiration.interval'),
      );
      const extraction = await offer(deps, context, { template, zoneId, lifetimeSeconds });
      await context.write((trx) => note(trx, context, template));
      return { template: extraction };
    },
  };
}

async function offer(
  deps: WorkflowDeps,
  context: JobContext<Command>,
  wanted: {
    readonly template: Row<'vm_template'>;
    readonly zoneId: number | undefined;
    readonly lifetimeSeconds: number;
  },
): Promise<Extraction> {
  const { template, zoneId, lifetimeSeconds } = wanted;
  const copies = await context.read((database) => storedCopies(database, template.id, zoneId ?? 0));
  const there = copies.filter((copy) => zoneId === undefined || copy.zoneId === zoneId);
  const problems: string[] = [];
  for (const copy of there) {
    try {
      return await context.read(async (database) => {
        const serveDeps = { agents: deps.agents, database, signal: context.signal };
        const name = `${template.name}.${imageFormatOf(template)}`;
        const { publicUrl } = await serveCopy(serveDeps, copy, { name, lifetimeSeconds });
        return {
          ...(await namesOf(database, template, copy.zoneId)),
          id: template.uuid,
          name: template.name,
          extractId: randomUUID(),
          extractMode: 'HTTP_DOWNLOAD',
          state: 'DOWNLOAD_URL_CREATED',
          status: `can be downloaded until ${formatDate(new Date(Date.now() + lifetimeSeconds * 1000))}`,
          storagetype: copy.role === 'Image' ? 'secondary' : 'primary',
          created: formatDate(new Date()),
          url: publicUrl,
        };
      });
    } catch (error) {
      if (context.signal.aborted || !(error instanceof AgentCallError)) throw error;
      problems.push(error.message);
    }
  }
  const { word } = kindOf(template);
  throw new ApiError(
    'INTERNAL_ERROR',
    problems.length > 0
      ? `${word} ${template.name} cannot be offered: ${problems.join('; ')}`
      : `there is no copy of ${word} ${template.name} that could be offered: prepareTemplate brings one to a storage pool (of RBD pools none can be offered)`,
  );
}

async function namesOf(executor: Executor, template: Row<'vm_template'>, zoneId: number) {
  const zone = await executor
    .selectFrom('data_center')
    .select(['uuid', 'name'])
    .where('id', '=', zoneId)
    .executeTakeFirstOrThrow();
  const account = await executor
    .selectFrom('account')
    .select('uuid')
    .where('id', '=', template.account_id)
    .executeTakeFirstOrThrow();
  return { accountid: account.uuid, zoneid: zone.uuid, zonename: zone.name };
}

async function note(
  trx: Executor,
  context: JobContext<Command>,
  template: Row<'vm_template'>,
): Promise<void> {
  const { word, event, resource } = kindOf(template);
  await recordEvent(trx, {
    type: `${event}.EXTRACT`,
    description: `${word} ${template.name} can be downloaded by whoever has the URL`,
    userId: context.job.userId,
    accountId: context.job.accountId,
    resourceType: resource,
    resourceUuid: template.uuid,
    jobUuid: context.job.uuid,
  });
}
