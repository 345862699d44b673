import { decodeJob, type Job } from '@millrace/api-client/job';
import { keepPreviousData, useMutation, useQuery, useQueryClient } from '@tanstack/react-query';
import { call, type JsonObject, list, type Params } from './call.ts';
import { hearsOfChanges } from './changes.ts';

/** How often what is shown is asked for again while the page is looked at, ms: with and without news of changes. */
const calmMs = 30_000;
const livelyMs = 3000;
const jobMs = 1000;

export interface ListOptions {
  /** False: asked once, such as what a form offers. */
  readonly live?: boolean;
  readonly enabled?: boolean;
}

function useInterval(): () => number {
  const client = useQueryClient();
  return () => (hearsOfChanges(client) ? calmMs : livelyMs);
}

export function useRows<T>(command: string, params: Params = {}, options: ListOptions = {}) {
  const { live = true, enabled = true } = options;
  const interval = useInterval();
  return useQuery({
    queryKey: [command, params],
    queryFn: ({ signal }) => list<T>(command, params, signal),
    refetchInterval: live ? interval : false,
    placeholderData: keepPreviousData,
    enabled,
  });
}

/** One row, found by its ID; `undefined` when there is none. */
export function useOne<T>(command: string, id: string, params: Params = {}) {
  const interval = useInterval();
  return useQuery({
    queryKey: [command, { ...params, id }],
    queryFn: async ({ signal }) => {
      const { rows } = await list<T>(command, { ...params, id }, signal);
      return rows[0] ?? null;
    },
    refetchInterval: interval,
  });
}

export function useJob(jobid: string | undefined) {
  return useQuery({
    queryKey: ['queryAsyncJobResult', jobid],
    queryFn: async ({ signal }): Promise<Job> =>
      decodeJob(await call('queryAsyncJobResult', { jobid }, signal)),
    enabled: jobid !== undefined,
    refetchInterval: (query) => (query.state.data && query.state.data.status !== 'pending' ? false : jobMs),
  });
}

/** A call that changes something. Everything shown is asked for again afterwards. */
export function useAction(command: string) {
  const client = useQueryClient();
  return useMutation({
    mutationFn: (params: Params): Promise<JsonObject> => call(command, params),
    onSettled: () => client.invalidateQueries(),
  });
}
