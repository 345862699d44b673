import { describeError } from '@millrace/core';
import { loadNetwork } from '../commands/responses/network.ts';
import {
  loadPhysicalNetwork,
  loadTrafficType,
  serviceProviderEntity,
} from '../commands/responses/physical-network.ts';
import type { JobContext } from '../jobs/job-context.ts';
import type { JobDefinitions } from '../jobs/job-runner.ts';
import { bridgedNetworkOf } from '../store/networks.ts';
import { callHost } from './agent-call.ts';
import type { WorkflowDeps } from './host-steps.ts';

/** Jobs about networks. All but the last have nothing left to do but to answer: the requests did it. */
export function networkJobs(
  deps: WorkflowDeps,
): Pick<
  JobDefinitions,
  | 'updateNetwork'
  | 'deleteNetwork'
  | 'createPhysicalNetwork'
  | 'updatePhysicalNetwork'
  | 'deletePhysicalNetwork'
  | 'addTrafficType'
  | 'updateNetworkServiceProvider'
> {
  const physical = {
    run: (context: JobContext<'createPhysicalNetwork'> | JobContext<'updatePhysicalNetwork'>) =>
      context.read(async (database) => ({
        physicalnetwork: await loadPhysicalNetwork(database, context.parameters.networkUuid),
      })),
  };
  return {
    updateNetwork: {
      run: (context) =>
        context.read(async (database) => ({
          network: await loadNetwork(database, context.parameters.networkUuid, true),
        })),
    },
    createPhysicalNetwork: physical,
    updatePhysicalNetwork: physical,
    deletePhysicalNetwork: { run: async () => ({ success: true }) },
    updateNetworkServiceProvider: {
      run: async ({ parameters }) => ({
        networkserviceprovider: serviceProviderEntity(parameters.networkUuid),
      }),
    },
    addTrafficType: {
      run: (context) =>
        context.read(async (database) => ({
          traffictype: await loadTrafficType(database, context.parameters.trafficTypeUuid),
        })),
    },
    deleteNetwork: deleteNetwork(deps),
  };
}

/** Has every host that is there forget the network. It is gone from the cloud already: hosts that are away forget it when they are back. */
function deleteNetwork({ agents }: WorkflowDeps): JobDefinitions['deleteNetwork'] {
  return {
    async run(context) {
      const { network, hosts } = await context.read(async (database) => {
        const row = await database
          .selectFrom('networks')
          .selectAll()
          .where('id', '=', context.parameters.networkId)
          .executeTakeFirstOrThrow();
        const found = await database
          .selectFrom('host')
          .select(['id', 'name'])
          .where('data_center_id', '=', row.data_center_id)
          .where('removed', 'is', null)
          .execute();
        return { network: row, hosts: found };
      });
      if (network.kind !== 'bridge') return { success: true };
      for (const host of hosts.filter(({ id }) => agents.isConnected(id)))
        try {
          await callHost(agents, {
            hostId: host.id,
            method: 'network.remove',
            params: { network: bridgedNetworkOf(network) },
            operationId: `${context.job.uuid}/network-remove-${host.id}`,
            signal: context.signal,
            reconnectMs: 5000,
          });
        } catch (error) {
          context.signal.throwIfAborted();
          context.log.warn(
            { host: host.name, error: describeError(error) },
            'a deleted network stays on a host until it connects anew',
          );
        }
      return { success: true };
    },
  };
}
