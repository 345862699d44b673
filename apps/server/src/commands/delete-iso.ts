import { specs } from '@millrace/api';
import { implement } from './command.ts';
import { requestRemoval } from './delete-template.ts';

export const deleteIso = implement(specs.deleteIso, async (context) => ({
  jobId: await requestRemoval(context, {
    command: 'deleteIso',
    uuid: context.params.id,
    forced: false,
    zone: context.params.zoneid,
  }),
}));
