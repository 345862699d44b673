import { entityNotFound, invalidParameter, missingParameter, specs } from '@millrace/api';
import { beginStoreDownload } from '../jobs/store-downloads.ts';
import { recordEvent } from '../store/events.ts';
import { everything } from '../store/paging.ts';
import { addZonesToTemplate, lockTemplate, zoneIdsOf } from '../store/templates.ts';
import { listZoneRows } from '../store/zone-list.ts';
import { implement } from './command.ts';
import { reachOf } from './scope.ts';

export const copyTemplate = implement(specs.copyTemplate, async ({ params, database, jobs, caller }) => {
  const { id, destzoneid, destzoneids, sourcezoneid } = params;
  if (destzoneid !== undefined && destzoneids !== undefined)
    throw invalidParameter('destzoneids', 'cannot be used together with destzoneid');
  const asked = destzoneids ?? (destzoneid === undefined ? [] : [destzoneid]);
  if (asked.length === 0) throw missingParameter('copyTemplate', 'destzoneid');
  const jobId = await database.transaction().execute(async (trx) => {
    const template = await lockTemplate(trx, id, reachOf(caller), 'template');
    if (!template) throw entityNotFound('id', id);
    const { rows: zones } = await listZoneRows(trx, {}, everything);
    const zoneOf = (param: string, uuid: string) => {
      const zone = zones.find((row) => row.uuid === uuid);
      if (!zone) throw entityNotFound(param, uuid);
      return zone;
    };
    const present = await zoneIdsOf(trx, template.id);
    if (sourcezoneid !== undefined && !present.includes(zoneOf('sourcezoneid', sourcezoneid).id))
      throw invalidParameter('sourcezoneid', `template ${template.name} is not in that zone`);
    const destinations = asked.map((uuid) =>
      zoneOf(destzoneids === undefined ? 'destzoneid' : 'destzoneids', uuid),
    );
    await addZonesToTemplate(
      trx,
      template.id,
      destinations.map((zone) => zone.id),
    );
    if (!template.direct_download)
      await beginStoreDownload(trx, jobs, {
        templateId: template.id,
        uuid: template.uuid,
        format: template.format,
        zoneIds: destinations.map((zone) => zone.id).filter((zoneId) => !present.includes(zoneId)),
        userId: caller.userId,
        accountId: template.account_id,
      });
    const jobUuid = await jobs.enqueue(trx, {
      command: 'copyTemplate',
      parameters: { templateId: template.id },
      userId: caller.userId,
      accountId: template.account_id,
      instanceType: 'Template',
      instanceUuid: template.uuid,
    });
    await recordEvent(trx, {
      type: 'TEMPLATE.COPY',
      description: `made template ${template.name} usable in ${destinations.map(({ name }) => name).join(', ')}`,
      userId: caller.userId,
      accountId: template.account_id,
      resourceType: 'Template',
      resourceUuid: template.uuid,
      jobUuid,
    });
    return jobUuid;
  });
  return { jobId };
});
