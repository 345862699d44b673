import { readFile } from 'node:fs/promises';
import { isJsonObject, numberMember, textMember } from '@millrace/api-client';
import { hasErrorCode } from '@millrace/core';
import { writePrivateFile } from '../credentials.ts';

/** How far the demo has come, so that the next start goes on from there. */
export interface DemoState {
  /** Port of the demo's mirror: the template is registered with it. */
  readonly mirrorPort?: number;
  readonly templateId?: string;
  readonly vmId?: string;
  readonly jobId?: string;
  /** True once the guest's line has been seen. */
  readonly finished?: boolean;
}

/** Reads the state; a file that is missing or unreadable is a demo that has not begun. */
export async function readDemoState(path: string): Promise<DemoState> {
  let content: unknown;
  try {
    content = JSON.parse(await readFile(path, 'utf8'));
  } catch (error) {
    if (error instanceof SyntaxError || hasErrorCode(error, 'ENOENT')) return {};
    throw error;
  }
  if (!isJsonObject(content)) return {};
  const mirrorPort = numberMember(content, 'mirrorPort');
  const texts = (['templateId', 'vmId', 'jobId'] as const).flatMap((key) => {
    const value = textMember(content, key);
    return value === undefined ? [] : [[key, value] as const];
  });
  return {
    ...Object.fromEntries(texts),
    ...(mirrorPort === undefined ? {} : { mirrorPort }),
    finished: content['finished'] === true,
  };
}

export async function writeDemoState(path: string, state: DemoState): Promise<void> {
  await writePrivateFile(path, `${JSON.stringify(state, undefined, 2)}\n`);
}
