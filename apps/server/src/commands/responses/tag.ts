import type { EntityOf, tagFields } from '@millrace/api';
import type { Executor } from '../../store/database.ts';
import { type TagRow, tagsOf } from '../../store/resource-tags.ts';

export function tagEntity(row: TagRow): EntityOf<typeof tagFields> {
  return {
    key: row.key,
    value: row.value,
    resourcetype: row.resource_type,
    resourceid: row.resource_uuid,
    account: row.account_name,
    domainid: row.domain_uuid,
    domain: row.domain_name,
  };
}

/** What tells the tags of each of these resources. */
export async function tagTeller(executor: Executor, uuids: readonly string[]) {
  const tags = await tagsOf(executor, uuids);
  return (uuid: string) => (tags.get(uuid) ?? []).map(tagEntity);
}
