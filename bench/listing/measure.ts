import {
  type Params,
  readAnswer,
  rows,
  signedQuery,
  type TestApi,
} from '../../apps/server/src/http/testing/test-api.ts';

export interface Latencies {
  readonly what: string;
  readonly requests: number;
  readonly medianMs: number;
  readonly p95Ms: number;
  readonly mostMs: number;
}

/** Lists a page after the other, one request at a time, and again from the first, until `requests` were answered. */
export async function measureListing(
  api: TestApi,
  options: {
    readonly what: string;
    readonly params: Params;
    readonly pages: number;
    readonly requests: number;
  },
): Promise<Latencies> {
  const { what, params, pages, requests } = options;
  const times: number[] = [];
  for (let request = 0; request < requests; request++) {
    const page = String((request % pages) + 1);
    const query = signedQuery(
      { command: 'listVirtualMachines', listall: 'true', ...params, page },
      api.admin,
    );
    const began = performance.now();
    const response = await fetch(`${api.url}?${query}`);
    const text = await response.text();
    times.push(performance.now() - began);
    const answer = await readAnswer(new Response(text, { status: response.status }));
    if (answer.status !== 200) throw new Error(answer.text);
    if (rows(answer).length === 0) throw new Error(`page ${page} of ${what} is empty`);
  }
  const sorted = times.toSorted((a, b) => a - b);
  const at = (part: number) => sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * part))]!;
  return { what, requests, medianMs: at(0.5), p95Ms: at(0.95), mostMs: sorted.at(-1)! };
}

export function latencyTable(all: readonly Latencies[]): string {
  const lines = all.map(
    (one) =>
      `| ${one.what} | ${one.requests} | ${one.medianMs.toFixed(0)} ms | ${one.p95Ms.toFixed(0)} ms | ${one.mostMs.toFixed(0)} ms |`,
  );
  return ['| list | requests | median | p95 | longest |', '|---|---|---|---|---|', ...lines].join('\n');
}
