import type { Handlers, PoolReference } from '@millrace/agent-protocol';
import { fail } from '../failure.ts';
import type { SharedMethods } from './handler.ts';

/** They see to a pool of any type themselves. */
const anyType: ReadonlySet<string> = new Set([
  'pool.attach',
  'pool.detach',
  'pool.lease.watch',
  'pool.stats',
  'vm.start',
  'vm.cdrom',
  'vm.migrate.expect',
  'vm.migrate.send',
  'volume.attach',
  'volume.detach',
] satisfies (keyof SharedMethods)[]);

interface PoolParams {
  readonly pool?: PoolReference;
  readonly vm?: { readonly pool?: PoolReference };
}

/**
 * Sends what concerns an RBD pool to the handlers made for it: an image there is no file.
 * @throws AgentFailure `POOL_TYPE_UNSUPPORTED`, from the handlers, for what cannot be done there
 */
export function byPoolType(
  handlers: Handlers<SharedMethods>,
  onRbd: Partial<Handlers<SharedMethods>>,
): Handlers<SharedMethods> {
  const special = new Map<string, unknown>(Object.entries(onRbd));
  const chosen = Object.entries(handlers).map(([method, handler]) => {
    if (anyType.has(method)) return [method, handler];
    return [
      method,
      (params: PoolParams, context: never) => {
        const { type } = params.pool ?? params.vm?.pool ?? {};
        if (type !== 'RBD') return handler(params as never, context);
        const rbd = special.get(method);
        if (typeof rbd === 'function') return rbd(params, context);
        return fail('POOL_TYPE_UNSUPPORTED', `${method} cannot be done on an RBD pool in this release`);
      },
    ];
  });
  return Object.fromEntries(chosen) as Handlers<SharedMethods>;
}
