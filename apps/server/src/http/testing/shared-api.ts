import { after, before, type TestContext } from 'node:test';
import { type TestApi, withTestApi } from './test-api.ts';

/**
 * One server on one database for all tests of a file, for those that change nothing: making a database anew for each
 * takes longer than what most of them do.
 */
export function shareTestApi(prepare?: (api: TestApi) => Promise<void>): () => TestApi {
  let api: TestApi | undefined;
  const ends: (() => unknown)[] = [];
  before(async () => {
    // a TestContext is where the ends of its parts are noted
    const context = { after: (end: () => unknown) => void ends.unshift(end) } as unknown as TestContext;
    api = await withTestApi(context);
    await prepare?.(api);
  });
  after(async () => {
    for (const end of ends) await end();
  });
  return () => {
    if (!api) throw new Error('the shared server is there once the tests run');
    return api;
  };
}
