import { readProfiles } from '../catalogue/profile-file.ts';
import { globalOptions } from '../grammar/options.ts';
import { splitLine } from '../grammar/split-words.ts';
import { connect } from '../run/connect.ts';
import type { CliContext } from '../run/context.ts';
import type { CompletionDependencies } from './complete.ts';
import { candidatesOf, listCommandFor, listingParams } from './value-source.ts';

/** Someone waits with a finger on Tab: a server that takes longer has nothing to add. */
const patienceMs = 2000;

/** Completion from a profile's catalogue and server. Whatever fails, fails silently: there is nowhere to say it. */
export function completionDependencies(
  context: Pick<CliContext, 'environment' | 'paths'>,
  line: string,
  signal: AbortSignal,
): CompletionDependencies {
  const limited = AbortSignal.any([signal, AbortSignal.timeout(patienceMs)]);
  const connecting = () => connect(context, profileIn(line), { signal: limited, timeoutMs: patienceMs });
  const catalogue = async () => {
    try {
      return await (await connecting()).catalogue();
    } catch {
      return undefined;
    }
  };
  return {
    catalogue,
    async profileNames() {
      try {
        return Object.keys((await readProfiles(context.paths.config, limited)).profiles);
      } catch {
        return [];
      }
    },
    async listValues(command, param) {
      try {
        const connection = await connecting();
        const list = listCommandFor(await connection.catalogue(), command, param);
        if (list === undefined) return [];
        const client = await connection.client();
        const answer = await client.call(list.api.name, listingParams(list), { signal: limited });
        return candidatesOf(answer, list, param);
      } catch {
        return [];
      }
    },
  };
}

/** The value of --profile, if the line has one. */
function profileIn(line: string): string | undefined {
  const names = globalOptions.find(({ key }) => key === 'profile')?.names ?? [];
  const { words } = splitLine(line);
  const position = words.findIndex((word) => names.includes(word));
  return position === -1 ? undefined : words[position + 1] || undefined;
}
