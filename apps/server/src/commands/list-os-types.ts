import { specs } from '@millrace/api';
import { listOsTypeRows } from '../store/guest-os.ts';
import { implement } from './command.ts';
import { idsFrom, pageFrom } from './page.ts';

export const listOsTypes = implement(specs.listOsTypes, async ({ params, database }) => {
  const filter = {
    uuids: idsFrom(params),
    description: params.description,
    keyword: params.keyword,
    categoryUuid: params.oscategoryid,
  };
  const { rows, count } = await listOsTypeRows(database, filter, await pageFrom(database, params));
  const list = rows.map((row) => ({
    id: row.uuid,
    name: row.display_name,
    description: row.display_name,
    oscategoryid: row.category_uuid,
    oscategoryname: row.category_name,
    isuserdefined: false,
    fordisplay: true,
  }));
  return { list, count };
});
