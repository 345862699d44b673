/** What a run of tests or checks came to. */
export interface TestCounts {
  readonly passed: number;
  readonly failed: number;
  readonly skipped: number;
  /** Names of what failed, with their files. */
  readonly failures: readonly string[];
}

export const noTests: TestCounts = { passed: 0, failed: 0, skipped: 0, failures: [] };

export function addCounts(...all: readonly TestCounts[]): TestCounts {
  return all.reduce(
    (sum, each) => ({
      passed: sum.passed + each.passed,
      failed: sum.failed + each.failed,
      skipped: sum.skipped + each.skipped,
      failures: [...sum.failures, ...each.failures],
    }),
    noTests,
  );
}

/** The last line of a run. */
export function closingLine(counts: TestCounts): string {
  return `${counts.passed} passed, ${counts.failed} failed, ${counts.skipped} skipped`;
}

/** What node:test says of one finished test, as far as it is counted. */
export interface FinishedTest {
  readonly name: string;
  readonly file?: string | undefined;
  readonly skip?: string | boolean | undefined;
  readonly details?: { readonly type?: string | undefined } | undefined;
}

/** Counts a finished test; a suite is not one, but its failure is, since it may have no test that failed. */
export function countTest(counts: TestCounts, outcome: 'pass' | 'fail', test: FinishedTest): TestCounts {
  if (isSkipped(test)) return { ...counts, skipped: counts.skipped + 1 };
  if (outcome === 'fail') {
    const name = test.file === undefined ? test.name : `${test.file}: ${test.name}`;
    return { ...counts, failed: counts.failed + 1, failures: [...counts.failures, name] };
  }
  return test.details?.type === 'suite' ? counts : { ...counts, passed: counts.passed + 1 };
}

function isSkipped({ skip }: FinishedTest): boolean {
  // an empty reason is a reason
  return skip !== undefined && skip !== false;
}

/** Reads a report; anything but a whole one is a run that died, which is a failure. */
export function readReport(text: string | undefined, what: string): TestCounts {
  const died: TestCounts = {
    ...noTests,
    failed: 1,
    failures: [`${what}: the run ended without a report`],
  };
  if (text === undefined) return died;
  try {
    const content = JSON.parse(text) as Partial<Record<keyof TestCounts, unknown>>;
    const { passed, failed, skipped, failures } = content;
    if (typeof passed !== 'number' || typeof failed !== 'number' || typeof skipped !== 'number') return died;
    return { passed, failed, skipped, failures: Array.isArray(failures) ? failures.map(String) : [] };
  } catch {
    return died;
  }
}
