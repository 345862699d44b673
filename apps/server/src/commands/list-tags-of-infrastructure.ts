import { specs } from '@millrace/api';
import { tagsOfHosts, tagsOfPools } from '../store/infrastructure-tags.ts';
import { implement } from './command.ts';
import { pagedOf } from './page.ts';

export const listHostTags = implement(specs.listHostTags, async ({ params, database }) =>
  pagedOf(database, tagEntities(await tagsOfHosts(database), params.keyword), params),
);

export const listStorageTags = implement(specs.listStorageTags, async ({ params, database }) =>
  pagedOf(database, tagEntities(await tagsOfPools(database), params.keyword), params),
);

function tagEntities(names: readonly string[], keyword: string | undefined) {
  return names
    .filter((name) => name.toLowerCase().includes(keyword?.toLowerCase() ?? ''))
    .map((name) => ({ id: name, name }));
}
