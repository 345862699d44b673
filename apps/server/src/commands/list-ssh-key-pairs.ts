import { specs } from '@millrace/api';
import { listSshKeyPairRows } from '../store/ssh-key-pairs.ts';
import { implement } from './command.ts';
import { pageFrom } from './page.ts';
import { sshKeyPairEntity } from './responses/guest-access.ts';
import { listScope } from './scope.ts';

export const listSSHKeyPairs = implement(specs.listSSHKeyPairs, async ({ params, database, caller }) => {
  const filter = {
    scope: await listScope(database, caller, params, params.id !== undefined),
    uuid: params.id,
    name: params.name,
    fingerprint: params.fingerprint,
    keyword: params.keyword,
  };
  const { rows, count } = await listSshKeyPairRows(database, filter, await pageFrom(database, params));
  return { list: rows.map(sshKeyPairEntity), count };
});
