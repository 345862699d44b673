import { entityNotFound, invalidParameter, isUuid, specs } from '@millrace/api';
import type { Executor } from '../store/database.ts';
import type { OwnerScope } from '../store/owner-scope.ts';
import { type ImageKind, listTemplateRows, type TemplateSelection } from '../store/templates.ts';
import { type Caller, type CommandDependencies, implement } from './command.ts';
import { idsFrom, pageFrom } from './page.ts';
import { type TemplateEntity, templateEntities } from './responses/template.ts';
import { listScope } from './scope.ts';

const filterWords = [
  'featured',
  'self',
  'selfexecutable',
  'shared',
  'sharedexecutable',
  'executable',
  'community',
  'all',
] as const;

export const listTemplates = implement(specs.listTemplates, async ({ params, ...context }) =>
  listImages(context, {
    ...params,
    kind: 'template',
    filter: params.templatefilter,
    filterParam: 'templatefilter',
  }),
);

/** What both lists of images take. */
interface ImageListParams extends SelectionParams {
  readonly kind: ImageKind;
  readonly name?: string | undefined;
  readonly keyword?: string | undefined;
  readonly zoneid?: string | undefined;
  readonly hypervisor?: string | undefined;
  readonly storageid?: string | undefined;
  readonly bootable?: boolean | undefined;
  readonly ispublic?: boolean | undefined;
  readonly isready?: boolean | undefined;
  readonly showremoved?: boolean | undefined;
  readonly showunique?: boolean | undefined;
  readonly tags?: Readonly<Record<string, string>> | undefined;
  readonly page?: number | undefined;
  readonly pagesize?: number | undefined;
}

export async function listImages(
  { database, caller }: CommandDependencies & { readonly caller: Caller },
  params: ImageListParams,
): Promise<{ list: TemplateEntity[]; count: number }> {
  const { storageid } = params;
  if (storageid !== undefined && !isUuid(storageid)) throw entityNotFound('storageid', storageid);
  // every image that is registered is ready: nothing has to arrive first
  if (params.isready === false) return { list: [], count: 0 };
  const uuids = idsFrom(params);
  const filter = {
    kind: params.kind,
    selection: await selectionFor(database, caller, params),
    uuids,
    name: params.name,
    keyword: params.keyword,
    zoneUuid: params.zoneid,
    hypervisor: params.hypervisor,
    poolUuid: storageid,
    bootable: params.bootable,
    isPublic: params.ispublic,
    removed: params.showremoved,
    unique: params.showunique,
    tags: params.tags,
  };
  const { rows, count } = await listTemplateRows(database, filter, await pageFrom(database, params));
  const viewer = { isAdmin: caller.role === 'admin', accountId: caller.accountId };
  return { list: await templateEntities(database, rows, viewer), count };
}

interface SelectionParams {
  /** One of the filter words, in any case, and the parameter it came in. */
  readonly filter: string;
  readonly filterParam: string;
  readonly id?: string | undefined;
  readonly ids?: readonly string[] | undefined;
  readonly account?: string | undefined;
  readonly domainid?: string | undefined;
  readonly isrecursive?: boolean | undefined;
  readonly listall?: boolean | undefined;
}

async function selectionFor(
  executor: Executor,
  caller: Caller,
  params: SelectionParams,
): Promise<TemplateSelection> {
  const word = filterWords.find((candidate) => candidate === params.filter.toLowerCase());
  if (word === undefined)
    throw invalidParameter(params.filterParam, `must be one of ${filterWords.join(', ')}`);
  // an administrator who names a template means it, whoever owns it
  const namesIds = word === 'executable' && (params.id !== undefined || params.ids !== undefined);
  const scope: OwnerScope = await listScope(executor, caller, params, namesIds);
  switch (word) {
    case 'featured':
    case 'community':
      return { kind: word };
    case 'self':
    case 'selfexecutable':
      return { kind: 'owned', scope };
    case 'shared':
    case 'sharedexecutable':
      return { kind: 'shared', scope };
    case 'executable':
      return { kind: 'usable', scope };
    case 'all':
      if (caller.role !== 'admin') throw invalidParameter(params.filterParam, 'all is for root admins');
      return { kind: 'everything' };
  }
}
