import { ApiError, entityNotFound, invalidParameter, specs } from '@millrace/api';
import { giveConsolePermission } from '../store/console-sessions.ts';
import { recordEvent } from '../store/events.ts';
import { lockVirtualMachine } from '../store/virtual-machines.ts';
import { implement } from './command.ts';
import { reachOf } from './scope.ts';

/** Where the server takes WebSockets of consoles, without a slash as CloudStack tells it. */
export const consoleSocketPath = 'client/console';

const kinds = ['screen', 'serial'] as const;

export const createConsoleEndpoint = implement(
  specs.createConsoleEndpoint,
  async ({ params, database, caller, origin }) => {
    const kind = kinds.find((name) => name === (params.consoletype ?? 'screen').toLowerCase());
    if (!kind) throw invalidParameter('consoletype', `must be one of ${kinds.join(', ')}`);
    const { token, name } = await database.transaction().execute(async (trx) => {
      const vm = await lockVirtualMachine(trx, params.virtualmachineid, reachOf(caller));
      if (!vm) throw entityNotFound('virtualmachineid', params.virtualmachineid);
      if (vm.state !== 'Running')
        throw new ApiError(
          'PARAM_ERROR',
          `instance ${vm.name} is ${vm.state}: only a running instance has a console`,
        );
      await recordEvent(trx, {
        type: 'VM.CONSOLE',
        description: `the ${kind === 'screen' ? 'screen' : 'serial console'} of instance ${vm.name} was asked for`,
        userId: caller.userId,
        accountId: vm.account_id,
        resourceType: 'VirtualMachine',
        resourceUuid: vm.uuid,
      });
      const permission = { kind, userId: caller.userId, accountId: vm.account_id, instanceId: vm.id };
      return { token: await giveConsolePermission(trx, permission), name: vm.name };
    });
    const { protocol, hostname, port } = new URL(origin);
    return {
      object: {
        success: true,
        // behind the hash: it reaches no server's log
        url: `${origin}/console#${new URLSearchParams({ token, type: kind, name })}`,
        websocket: {
          token,
          host: hostname,
          port: port || (protocol === 'https:' ? '443' : '80'),
          path: consoleSocketPath,
        },
      },
    };
  },
);
