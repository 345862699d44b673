import type { ConsoleLogs } from '../hypervisor/console-log.ts';
import type { Handler } from './handler.ts';

/** Reads the serial console's log. A VM that never wrote anything has an empty one. */
export function makeVmConsole(deps: { readonly consoleLogs: ConsoleLogs }): Handler<'vm.console'> {
  return async ({ vm, offset, limit }) => {
    const { data, nextOffset } = await deps.consoleLogs.read(vm.instanceName, { offset, limit });
    return { data: data.toString('base64'), nextOffset };
  };
}
