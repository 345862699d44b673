import { useQuery } from '@tanstack/react-query';
import { list } from './call.ts';

/** Whether whoever is logged in may call a command. Until the server has said it, nothing is offered that needs to be asked. */
export type May = (command: string) => boolean;

/** What the session's role allows, as `listApis` tells it: the console offers nothing else. */
export function useMay(): May {
  const { data } = useQuery({
    queryKey: ['listApis'],
    queryFn: async ({ signal }) => {
      const { rows } = await list<{ readonly name?: string }>('listApis', {}, signal);
      return new Set(rows.map(({ name }) => name));
    },
    // a role is changed seldom, and the server has the last word
    staleTime: Number.POSITIVE_INFINITY,
  });
  return (command) => data?.has(command) ?? false;
}
