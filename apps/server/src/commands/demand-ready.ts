import { invalidParameter } from '@millrace/api';
import type { Executor } from '../store/database.ts';
import type { Row } from '../store/schema.ts';
import { spoolRefsOf } from '../store/templates.ts';
import { storedStatus } from './responses/template.ts';

/**
 * Refuses a template or ISO that is not on an image store yet, if it has to come from there. A copy on a pool of the zone does
 * not help: an instance may be placed on another.
 * @throws ApiError 431 that says how far it is
 */
export async function demandReady(
  executor: Executor,
  template: Pick<Row<'vm_template'>, 'id' | 'name' | 'format' | 'direct_download'>,
  zoneId: number,
  parameter: string,
): Promise<void> {
  if (template.direct_download) return;
  const copies = await spoolRefsOf(executor, [template.id]);
  const stored = copies.filter(({ role }) => role === 'Image');
  // another zone's store serves too, while this one's copy is on its way
  if (stored.some(({ state }) => state === 'Ready')) return;
  throw invalidParameter(
    parameter,
    `${template.name} is not on an image store yet: ${storedStatus(
      stored.filter(({ zone_id }) => zone_id === zoneId),
      template.format,
    )}`,
  );
}
