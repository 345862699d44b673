import { ApiError, entityNotFound, invalidParameter, specs } from '@millrace/api';
import { everything } from '../store/paging.ts';
import { listVirtualMachineRows } from '../store/virtual-machines.ts';
import { implement } from './command.ts';
import { hostFailure } from './host-failure.ts';
import { reachOf } from './scope.ts';

const defaultLimit = 65_536;
const mostBytes = 1_048_576;
const answerWithinMs = 8000;

export const getVirtualMachineConsoleOutput = implement(
  specs.getVirtualMachineConsoleOutput,
  async ({ params, database, agents, caller, log, signal }) => {
    const offset = params.offset ?? 0;
    const limit = params.limit ?? defaultLimit;
    if (offset < 0) throw invalidParameter('offset', 'must be 0 or more');
    if (limit < 1 || limit > mostBytes) throw invalidParameter('limit', `must be from 1 to ${mostBytes}`);
    const filter = { scope: reachOf(caller), uuids: [params.id] };
    const [vm] = (await listVirtualMachineRows(database, filter, everything)).rows;
    if (!vm) throw entityNotFound('id', params.id);
    const hostId = vm.host_id ?? vm.last_host_id;
    if (hostId === null) {
      throw new ApiError(
        'PARAM_ERROR',
        `instance ${vm.name} has never been on a host: it has no console yet`,
      );
    }
    const reply = await agents
      .call(
        hostId,
        'vm.console',
        { vm: { uuid: vm.uuid, instanceName: vm.instance_name }, offset, limit },
        {
          operationId: `console-${crypto.randomUUID()}`,
          signal: AbortSignal.any([signal, AbortSignal.timeout(answerWithinMs)]),
          reconnectWithinMs: 1000,
        },
      )
      .catch((error: unknown) => {
        throw hostFailure(`the console of instance ${vm.name} cannot be read`, error, log);
      });
    return {
      object: {
        output: Buffer.from(reply.data, 'base64').toString('utf8'),
        nextoffset: reply.nextOffset,
      },
    };
  },
);
