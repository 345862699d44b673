import { specs } from '@millrace/api';
import { implement } from './command.ts';
import { lockedPhysicalNetwork } from './physical-networks.ts';

/** Clients that make a zone (Marvin's deployDataCenter) enable its providers: here the only one always is. */
export const updateNetworkServiceProvider = implement(
  specs.updateNetworkServiceProvider,
  async ({ params, database, jobs, caller }) => {
    const jobId = await database.transaction().execute(async (trx) => {
      const network = await lockedPhysicalNetwork(trx, params.id);
      return jobs.enqueue(trx, {
        command: 'updateNetworkServiceProvider',
        parameters: { networkUuid: network.uuid },
        userId: caller.userId,
        accountId: caller.accountId,
        instanceType: 'PhysicalNetwork',
        instanceUuid: network.uuid,
      });
    });
    return { jobId };
  },
);
