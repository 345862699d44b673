import type { Handlers, PoolReference } from '@millrace/agent-protocol';
import type { PoolAccess } from '../storage/pool-access.ts';
import type { SharedMethods } from './handler.ts';

/** They make a pool accessible, so they see to the access themselves. */
const attaching: ReadonlySet<string> = new Set([
  'pool.attach',
  'pool.detach',
  // what it grants is opened again later, maybe by the next process
  'image.serve',
] satisfies (keyof SharedMethods)[]);

/**
 * Lets the server work in the pools of this host and nowhere else: which directories those are, the operator of the host
 * decides. The agent is root, so without this a server that was taken over could remove or replace any file. Handlers see
 * each pool with the directory that it has on this host.
 * @throws AgentFailure `POOL_UNAVAILABLE`, from the handlers
 */
export function onlyInOwnPools(
  access: PoolAccess,
  handlers: Handlers<SharedMethods>,
): Handlers<SharedMethods> {
  const guarded = Object.entries(handlers).map(([method, handler]) => [
    method,
    attaching.has(method)
      ? handler
      : async (params: PoolParams, context: { readonly signal: AbortSignal }) =>
          handler((await onThisHost(access, params, context.signal)) as never, context as never),
  ]);
  return Object.fromEntries(guarded) as Handlers<SharedMethods>;
}

/** Every message that concerns a pool names it in one of these two places. */
interface PoolParams {
  readonly pool?: PoolReference;
  readonly vm?: { readonly pool?: PoolReference };
}

async function onThisHost(access: PoolAccess, params: PoolParams, signal: AbortSignal): Promise<PoolParams> {
  if (params.pool) return { ...params, pool: await access.resolve(params.pool, signal) };
  const { vm } = params;
  if (!vm?.pool) return params;
  return { ...params, vm: { ...vm, pool: await access.resolve(vm.pool, signal) } };
}
