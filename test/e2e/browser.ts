import assert from 'node:assert/strict';
import { createRequire } from 'node:module';
import { type Browser, chromium, type Locator, type Page } from 'playwright-core';

/** Debian's own: what its users would look with. No sandbox, as the tests are root's in namespaces of their own. */
export async function openBrowser(): Promise<Browser> {
  return chromium.launch({
    executablePath: '/usr/bin/chromium',
    args: ['--no-sandbox', '--disable-dev-shm-usage', '--disable-gpu'],
  });
}

/** What a page complained about: errors of scripts, refusals by its policy, files that are missing. */
export function complaintsOf(page: Page): string[] {
  const complaints: string[] = [];
  page.on('pageerror', (error) => complaints.push(error.message));
  page.on('console', (message) => {
    if (message.type() === 'error') complaints.push(message.text());
  });
  return complaints;
}

const axePath = createRequire(import.meta.url).resolve('axe-core/axe.min.js');
/** WCAG 2.2 AA, which has the rules of the versions before it. */
const rules = ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa'];

interface AxeResult {
  readonly violations: readonly {
    readonly id: string;
    readonly impact: string;
    readonly nodes: readonly { readonly html: string }[];
  }[];
}

/**
 * Serious and critical violations of the page as it is now, each as one line.
 * @param part selects what is looked at; the whole page when absent
 */
export async function accessibilityProblems(page: Page, part?: string): Promise<string[]> {
  // through the debugger: the page's own policy lets no foreign script in
  if ((await page.evaluate('typeof axe')) === 'undefined')
    await page.evaluate((await import('node:fs')).readFileSync(axePath, 'utf8'));
  const result = await page.evaluate<AxeResult>(
    `axe.run(${part === undefined ? 'document' : JSON.stringify(part)}, { resultTypes: ['violations'], runOnly: { type: 'tag', values: ${JSON.stringify(rules)} } })`,
  );
  return result.violations
    .filter(({ impact }) => impact === 'serious' || impact === 'critical')
    .flatMap(({ id, nodes }) => nodes.map(({ html }) => `${id}: ${html.slice(0, 200)}`));
}

/** As much of a canvas as is looked at: the pages' types are not these tests'. */
interface PaintedCanvas {
  readonly width: number;
  readonly height: number;
  getContext(kind: '2d'): {
    getImageData(x: number, y: number, width: number, height: number): { readonly data: Uint8ClampedArray };
  };
}

/** How many pixels of a screen are not dark, once there are as many as wanted. */
export async function brightPixels(
  screen: Locator,
  patienceMs: number,
  wanted: (count: number) => boolean,
): Promise<number> {
  const deadline = Date.now() + patienceMs;
  for (;;) {
    const count = await screen.evaluate((element) => {
      const canvas = element as unknown as PaintedCanvas;
      // until the first picture has come
      if (canvas.width === 0) return 0;
      const { data } = canvas.getContext('2d').getImageData(0, 0, canvas.width, canvas.height);
      let bright = 0;
      for (let index = 0; index < data.length; index += 4) if ((data[index] ?? 0) > 100) bright++;
      return bright;
    });
    if (wanted(count)) return count;
    assert.ok(Date.now() < deadline, `the screen shows ${count} bright pixels`);
    await screen.page().waitForTimeout(200);
  }
}
