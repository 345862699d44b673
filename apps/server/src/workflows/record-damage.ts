import type { Executor } from '../store/database.ts';
import { recordEvent } from '../store/events.ts';

export interface DamagedCopy {
  readonly templateUuid: string;
  readonly templateName: string;
  readonly format: string;
  readonly role: 'Primary' | 'Image';
  readonly placeName: string;
  readonly kind: 'damaged' | 'gone';
}

/** Writes down that a copy is not what it was: an alert for operators. @returns it in words */
export async function recordDamage(trx: Executor, copy: DamagedCopy, next: string): Promise<string> {
  const isIso = copy.format.toUpperCase() === 'ISO';
  const what = copy.kind === 'gone' ? 'is gone from' : 'was damaged on';
  const place = copy.role === 'Image' ? 'image store' : 'storage pool';
  const description = `the copy of ${isIso ? 'ISO' : 'template'} ${copy.templateName} ${what} ${place} ${copy.placeName}: ${next}`;
  await recordEvent(trx, {
    type: isIso ? 'ISO.COPY.DAMAGED' : 'TEMPLATE.COPY.DAMAGED',
    level: 'ERROR',
    description,
    resourceType: isIso ? 'Iso' : 'Template',
    resourceUuid: copy.templateUuid,
  });
  return description;
}
