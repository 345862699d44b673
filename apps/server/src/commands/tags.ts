import { randomUUID } from 'node:crypto';
import { ApiError, entityNotFound, invalidParameter, isUuid, specs } from '@millrace/api';
import type { JobQueue } from '../jobs/queue.ts';
import type { Database, Executor } from '../store/database.ts';
import { recordEvent } from '../store/events.ts';
import {
  deleteTagsOf,
  holdResources,
  insertTags,
  listTagRows,
  type TaggableType,
  taggableTypes,
} from '../store/resource-tags.ts';
import { type Caller, implement } from './command.ts';
import { pageFrom } from './page.ts';
import { tagEntity } from './responses/tag.ts';
import { listScope, reachOf } from './scope.ts';

const longest = 255;
const mostTagsAtOnce = 100;
const mostResourcesAtOnce = 500;

export const createTags = implement(specs.createTags, ({ params, ...context }) => {
  const tags = readTags(params.tags);
  return onResources(context, params, 'createTags', async (trx, found) => {
    const taken = await insertTags(trx, { ...found, tags });
    if (taken.length > 0)
      throw invalidParameter('tags', `there is a tag ${taken[0]} already: delete it first`);
    return `tagged with ${Object.keys(tags).join(', ')}`;
  });
});

export const deleteTags = implement(specs.deleteTags, ({ params, ...context }) =>
  onResources(context, params, 'deleteTags', async (trx, { resources }) => {
    const uuids = resources.map(({ uuid }) => uuid);
    const count = await deleteTagsOf(trx, uuids, params.tags);
    if (count === 0) throw invalidParameter('tags', 'the resources have no such tags');
    return `took ${count} tag(s) off`;
  }),
);

export const listTags = implement(specs.listTags, async ({ params, database, caller }) => {
  const { resourceid, resourcetype } = params;
  if (resourceid !== undefined && !isUuid(resourceid.toLowerCase()))
    throw entityNotFound('resourceid', resourceid);
  const filter = {
    scope: await listScope(database, caller, params, resourceid !== undefined),
    key: params.key,
    value: params.value,
    keyword: params.keyword,
    resourceUuid: resourceid?.toLowerCase(),
    type: resourcetype === undefined ? undefined : typeOf(resourcetype),
  };
  const { rows, count } = await listTagRows(database, filter, await pageFrom(database, params));
  return { list: rows.map(tagEntity), count };
});

interface Found {
  readonly type: TaggableType;
  readonly resources: readonly { readonly uuid: string; readonly account_id: number }[];
}

/** Does it to all of the resources or to none. @returns the job that tells of it */
async function onResources(
  {
    database,
    jobs,
    caller,
  }: { readonly database: Database; readonly jobs: JobQueue; readonly caller: Caller },
  params: { readonly resourceids: readonly string[]; readonly resourcetype: string },
  command: 'createTags' | 'deleteTags',
  act: (trx: Executor, found: Found) => Promise<string>,
): Promise<{ jobId: string }> {
  const type = typeOf(params.resourcetype);
  const uuids = [...new Set(params.resourceids)];
  if (uuids.length === 0 || uuids.length > mostResourcesAtOnce)
    throw invalidParameter('resourceids', `must name 1 to ${mostResourcesAtOnce} resources`);
  const jobId = await database.transaction().execute(async (trx) => {
    const resources = await holdResources(trx, type, uuids, reachOf(caller));
    const missing = uuids.find((uuid) => !resources.some((resource) => resource.uuid === uuid));
    if (missing !== undefined) throw entityNotFound('resourceids', missing);
    const [first] = resources;
    if (!first) throw new ApiError('PARAM_ERROR', 'resourceids names nothing');
    const done = await act(trx, { type, resources });
    const owner = { userId: caller.userId, accountId: first.account_id };
    for (const resource of resources)
      await recordEvent(trx, {
        type: command === 'createTags' ? 'CREATE_TAGS' : 'DELETE_TAGS',
        description: `${done}: ${type} ${resource.uuid}`,
        userId: caller.userId,
        accountId: resource.account_id,
        resourceType: type,
        resourceUuid: resource.uuid,
      });
    // not about one of them: it would keep others waiting for a job that has nothing to do
    return jobs.enqueue(trx, {
      command,
      parameters: {},
      ...owner,
      instanceType: 'Tag',
      instanceUuid: randomUUID(),
    });
  });
  return { jobId };
}

function typeOf(text: string): TaggableType {
  const type = taggableTypes.find((name) => name.toLowerCase() === text.toLowerCase());
  if (type === undefined)
    throw invalidParameter('resourcetype', `must be one of ${taggableTypes.join(', ')}`);
  return type;
}

function readTags(tags: Readonly<Record<string, string>>): Readonly<Record<string, string>> {
  const entries = Object.entries(tags);
  if (entries.length === 0 || entries.length > mostTagsAtOnce)
    throw invalidParameter('tags', `must have 1 to ${mostTagsAtOnce} tags`);
  for (const [key, value] of entries) {
    const bad = [key, value].some((text) => text.length > longest || /\p{Cc}/u.test(text));
    if (key.trim() === '' || bad)
      throw invalidParameter(
        'tags',
        `keys and values must have 1 to ${longest} characters and no control characters`,
      );
    if (value === '') throw invalidParameter('tags', `the tag ${key} has no value`);
  }
  return tags;
}
