import { type Query, type QueryClient, useQueryClient } from '@tanstack/react-query';
import { useEffect } from 'react';

const connectedKey = ['changes', 'connected'] as const;

/** Which commands tell of which rows. */
const commandsOf: Readonly<Record<string, readonly string[]>> = {
  vm_instance: ['listVirtualMachines', 'listVolumes'],
  volumes: ['listVolumes', 'listVirtualMachines'],
  async_job: ['listAsyncJobs', 'queryAsyncJobResult', 'listVirtualMachines'],
  vm_template: ['listTemplates', 'listIsos'],
  template_spool_ref: ['listTemplates', 'listIsos'],
  event: ['listEvents', 'listAlerts'],
  host: ['listHosts', 'listCapacity'],
  storage_pool: ['listStoragePools', 'listCapacity'],
};

/** Whether the server tells of changes now: then nothing needs to be asked for every few seconds. */
export function hearsOfChanges(client: QueryClient): boolean {
  return client.getQueryData(connectedKey) === true;
}

/** While it is shown, what the server says has changed is asked for again at once. */
export function useChanges(): void {
  const client = useQueryClient();
  useEffect(() => {
    const source = new EventSource('/client/api/changes');
    const tell = (connected: boolean) => client.setQueryData(connectedKey, connected);
    source.addEventListener('open', () => {
      tell(true);
      // what changed meanwhile was not told
      void client.invalidateQueries();
    });
    source.addEventListener('error', () => tell(false));
    source.addEventListener('message', ({ data }) => {
      const commands = new Set(tablesIn(String(data)).flatMap((table) => commandsOf[table] ?? []));
      void client.invalidateQueries({
        predicate: (query) => commands.has(String(query.queryKey[0])) && !isOver(query),
      });
    });
    return () => {
      source.close();
      tell(false);
    };
  }, [client]);
}

/** A job that ended stays as it is. */
function isOver({ queryKey, state }: Query): boolean {
  if (queryKey[0] !== 'queryAsyncJobResult') return false;
  const { status } = (state.data ?? {}) as { readonly status?: unknown };
  return status !== undefined && status !== 'pending';
}

function tablesIn(data: string): string[] {
  const value: unknown = JSON.parse(data);
  return Array.isArray(value) ? value.filter((item) => typeof item === 'string') : [];
}
