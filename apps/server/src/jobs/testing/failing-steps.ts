import { MillraceError } from '@millrace/core';
import { type RunSteps, runSteps } from '../steps.ts';

/** Where a step breaks: before its deed, or after it and before its record, which its undo cannot tell apart. */
export interface Fault {
  readonly step: string;
  readonly when: 'before' | 'after';
  /** Only in runs with this prefix; every run when absent. */
  readonly prefix?: string;
}

/** The engine with a fault: `current` can be set anew between runs. Undo runs twice, since it must be repeatable. */
export function breakableRunSteps(): {
  readonly runSteps: RunSteps;
  current: Fault | undefined;
  readonly seen: string[];
} {
  const seen: string[] = [];
  const broken = {
    current: undefined as Fault | undefined,
    seen,
    runSteps: ((options) => {
      const steps = options.steps.map((step) => ({
        name: step.name,
        do: async (state: Parameters<typeof step.do>[0]) => {
          const fault = broken.current;
          const applies =
            fault?.step === step.name && (fault.prefix === undefined || fault.prefix === options.prefix);
          if (applies && fault?.when === 'before')
            throw new MillraceError('TEST_FAULT', `${step.name} broke`);
          const output = await step.do(state);
          seen.push(options.prefix + step.name);
          if (applies) throw new MillraceError('TEST_FAULT', `${step.name} broke afterwards`);
          return output;
        },
        ...(step.undo
          ? {
              undo: async (state: Parameters<NonNullable<typeof step.undo>>[0]) => {
                await step.undo?.(state);
                await step.undo?.(state);
              },
            }
          : {}),
      }));
      return runSteps({ ...options, steps });
    }) as RunSteps,
  };
  return broken;
}
