import type { AgentMethods, HandlerContext, ParamsOf, ProgressOf, ResultOf } from '@millrace/agent-protocol';

/** What means the same whichever server asks. */
export type SharedMethods = Omit<AgentMethods, 'console.open'>;

/** The handler of one method: idempotent, since after a crash of either side the same request may arrive again. */
export type Handler<M extends keyof AgentMethods> = (
  params: ParamsOf<AgentMethods, M>,
  context: HandlerContext<ProgressOf<AgentMethods, M>>,
) => Promise<ResultOf<AgentMethods, M>>;

/** Methods that only look: asked again they look again. */
export const readMethods: ReadonlySet<keyof AgentMethods> = new Set([
  'template.check',
  'vm.state',
  'vm.console',
  'pool.stats',
  'pool.lease.watch',
  'image.serve',
  'template.digest',
]);
