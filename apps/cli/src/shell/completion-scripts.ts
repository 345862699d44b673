import { readFile } from 'node:fs/promises';
import { UsageError } from '../failures.ts';

/**
 * The script to source for Tab completion.
 * @throws UsageError for another shell than bash and zsh
 */
export async function completionScript(shell: string | undefined, signal: AbortSignal): Promise<string> {
  if (shell !== 'bash' && shell !== 'zsh') {
    throw new UsageError('Which shell? millrace completion bash, or millrace completion zsh');
  }
  return readFile(new URL(`./completion.${shell}`, import.meta.url), { encoding: 'utf8', signal });
}
