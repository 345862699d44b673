import { specs } from '@millrace/api';
import { listOsCategoryRows } from '../store/guest-os.ts';
import { implement } from './command.ts';
import { pageFrom } from './page.ts';

export const listOsCategories = implement(specs.listOsCategories, async ({ params, database }) => {
  const filter = { uuid: params.id, name: params.name, keyword: params.keyword };
  const { rows, count } = await listOsCategoryRows(database, filter, await pageFrom(database, params));
  return { list: rows.map(({ uuid, name }) => ({ id: uuid, name })), count };
});

/** There is one, in every zone. */
export const listHypervisors = implement(specs.listHypervisors, async () => ({
  list: [{ name: 'KVM' }],
  count: 1,
}));
