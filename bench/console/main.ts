import { sleep } from '@millrace/core';
import type { Page } from 'playwright-core';
import { openDatabase } from '../../apps/server/src/store/database.ts';
import { openBrowser } from '../../test/e2e/browser.ts';
import { type DevCloud, startDevCloud } from '../../test/e2e/dev-cloud.ts';
import { seedInstancesOn } from '../listing/seed.ts';

/** How long the page of instances takes in a browser when there are many. See README.md. */

const instances = Number(process.argv[2] ?? 50_000);
const rounds = Number(process.argv[3] ?? 10);
const pagesize = 20;
const patienceMs = 60_000;
const { signal } = new AbortController();

await using cloud = await startDevCloud({ hosts: 4, speed: 1 });
await seed(cloud);
const browser = await openBrowser();
try {
  const page = await (await browser.newContext({ viewport: { width: 1280, height: 800 } })).newPage();
  await logIn(page, cloud);
  const last = Math.ceil(instances / pagesize);
  process.stdout.write('| the page of instances | median | longest |\n|---|---|---|\n');
  await measure('opened, with its code from the cache, to the first rows', async () => {
    await page.goto('about:blank');
    return timed(page, () => page.goto(`${cloud.origin}/instances`));
  });
  await measure('the next page', () =>
    timed(page, () => page.locator('.ant-pagination-next button').click()),
  );
  await measure('the last page', async () => {
    await timed(page, () => page.goto(`${cloud.origin}/instances`));
    return timed(page, () => page.locator(`.ant-pagination-item-${last}`).click());
  });
  await measure('a search that finds one', async (round) => {
    await timed(page, () => page.goto(`${cloud.origin}/instances`));
    await page.getByRole('searchbox').fill(`seed-${instances - round}`);
    return timed(page, () => page.getByRole('searchbox').press('Enter'));
  });
  await measure('a search that finds a ninth of all', async (round) => {
    await timed(page, () => page.goto(`${cloud.origin}/instances`));
    await page.getByRole('searchbox').fill(`seed-${(round % 4) + 1}`);
    return timed(page, () => page.getByRole('searchbox').press('Enter'));
  });
} finally {
  await browser.close();
}

async function seed({ databaseUrl }: DevCloud): Promise<void> {
  const database = openDatabase(databaseUrl, { poolSize: 1 });
  try {
    const hosts = await database.selectFrom('host').select('id').orderBy('id').limit(4).execute();
    await seedInstancesOn(
      database,
      hosts.map(({ id }) => id),
      instances,
    );
  } finally {
    await database.destroy();
  }
}

async function logIn(page: Page, { origin, password }: DevCloud): Promise<void> {
  await page.goto(origin);
  await page.getByLabel('User name').fill('admin');
  await page.getByLabel('Password').fill(password);
  await page.getByRole('button', { name: 'Log in' }).click();
  await page.getByRole('heading', { level: 1, name: 'Dashboard' }).waitFor();
}

async function measure(what: string, once: (round: number) => Promise<number>): Promise<void> {
  // the first fills caches
  await once(0);
  const times: number[] = [];
  for (let round = 0; round < rounds; round++) times.push(await once(round));
  times.sort((a, b) => a - b);
  const [median, most] = [times[Math.floor(rounds / 2)]!, times.at(-1)!].map((time) => time.toFixed(0));
  process.stdout.write(`| ${what} | ${median} ms | ${most} ms |\n`);
}

/** From the act until the table shows other rows than before it, looked at every few milliseconds. */
async function timed(page: Page, act: () => Promise<unknown>): Promise<number> {
  const rows = () =>
    page
      .evaluate<string>(
        `[...document.querySelectorAll('.ant-table-row')].map((row) => row.dataset.rowKey).join()`,
      )
      // while one page goes and the next one comes there is none to ask
      .catch(() => '');
  const before = await rows();
  const begun = performance.now();
  await act();
  for (let now = ''; now === '' || now === before; now = await rows()) {
    if (performance.now() - begun > patienceMs) throw new Error('the rows did not change');
    await sleep(5, signal);
  }
  return performance.now() - begun;
}
