import { specs } from '@millrace/api';
import { implement } from './command.ts';
import { listImages } from './list-templates.ts';

export const listIsos = implement(specs.listIsos, async ({ params, ...context }) =>
  listImages(context, {
    ...params,
    kind: 'iso',
    filter: params.isofilter ?? 'selfexecutable',
    filterParam: 'isofilter',
  }),
);
