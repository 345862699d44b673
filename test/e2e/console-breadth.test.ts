import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { after, before, test } from 'node:test';
import type { Browser, Page } from 'playwright-core';
import { accessibilityProblems, complaintsOf, openBrowser } from './browser.ts';
import { type DevCloud, startDevCloud } from './dev-cloud.ts';
import { until } from './lab-cloud.ts';

/**
 * Every screen of the web console, as administrator and as tenant, wide and on a phone, with instances, hosts and templates
 * in every state: the real server with simulated hosts. What is done on screens, console.test.ts does with real ones.
 */

const patience = 20_000;
const wide = { width: 1280, height: 800 };
const phone = { width: 390, height: 844 };
/** More than there are instances that run: three of them have to go away without taking one along. */
const hostCount = 8;
const nobody = '00000000-0000-4000-8000-000000000000';

let cloud: DevCloud;
let browser: Browser;
let routes: string[];
let statesAreThere: Promise<void>;

before(async () => {
  [cloud, browser, routes] = await Promise.all([
    startDevCloud({ hosts: hostCount, speed: 50 }),
    openBrowser(),
    routesOfConsole(),
  ]);
  const { images } = await makeEverything(cloud);
  statesAreThere = makeHostStates(cloud, images);
  statesAreThere.catch(() => {});
});

after(async () => {
  await browser?.close();
  await cloud?.[Symbol.asyncDispose]();
});

/** As the router has them: a screen that is added is visited. `$id` stands for one of the list. */
async function routesOfConsole(): Promise<string[]> {
  const source = await readFile(new URL('../../apps/web/src/router.tsx', import.meta.url), 'utf8');
  const calls = source.matchAll(/\b(\w+)\(\s*'(\/[^']*)',\s*async \(\) =>\s*\(await import\(/g);
  const found = [...calls].map(([, kind, path]) => (/^detail/i.test(kind!) ? `${path}/$id` : path!));
  assert.equal(found.length, [...source.matchAll(/\bimport\('\.\/pages\//g)].length, 'a route is missed');
  return found;
}

interface Images {
  readonly good: string;
  readonly arriving: string;
}

/** A user, and instances in every state; images that came, that are refused, and one that takes for ever. */
async function makeEverything({ api }: DevCloud): Promise<{ images: Images }> {
  const zoneid = String((await api.list('listZones'))[0]!['id']);
  const offerings = await api.list('listServiceOfferings');
  const serviceofferingid = String(offerings[0]!['id']);
  const template = async (name: string, query: string) => {
    const [made] = await api.list('registerTemplate', {
      name,
      displaytext: name,
      url: `https://images.example/${name}.qcow2?${query}`,
      format: 'QCOW2',
      hypervisor: 'KVM',
      zoneid,
      ispublic: 'true',
    });
    return String(made!['id']);
  };
  const deploy = (name: string, templateid: string, more: Record<string, string> = {}) =>
    api.call('deployVirtualMachine', { name, templateid, zoneid, serviceofferingid, ...more });
  const deployed = async (name: string, templateid: string, more?: Record<string, string>) => {
    const { jobid, id } = await deploy(name, templateid, more);
    return { id: String(id), job: await api.job(String(jobid)) };
  };
  await api.call('createAccount', {
    accounttype: '0',
    username: 'ada',
    firstname: 'Ada',
    lastname: 'Lovelace',
    email: 'ada@example.org',
    password: 'correct horse',
  });
  const [domain] = await api.list('listDomains');
  const [good, refusing, refused, arriving] = await Promise.all([
    template('good', 'size=20'),
    template('start-refused', 'size=20&fault=start-refused'),
    template('refused', 'size=20&fault=not-an-image'),
    template('arriving', 'size=90000&fault=slow'),
  ]);
  await Promise.all([
    deployed('runs', good),
    deployed('stands', good, { startvm: 'false' }),
    deployed('destroyed', good).then(({ id }) => api.run('destroyVirtualMachine', { id })),
    deployed('hers', good, { account: 'ada', domainid: String(domain!['id']) }),
    deployed('wrong', refusing),
    deployed('refused', refused),
    deploy('starting', arriving),
    api.call('registerIso', {
      name: 'drivers',
      displaytext: 'drivers',
      url: 'https://images.example/drivers.iso?size=20',
      zoneid,
      bootable: 'false',
      ispublic: 'true',
    }),
  ]);
  return { images: { good, arriving } };
}

/** One host that stays away, one that is away for a moment only, one in maintenance; it takes as long as nobody watches. */
async function makeHostStates({ api, setFaults }: DevCloud, { arriving }: Images): Promise<void> {
  const setting = (value: string) =>
    api.call('updateConfiguration', { name: 'agent.reconnect.timeout', value });
  const stateOf = async (name: string) => (await api.list('listHosts', { name }))[0];
  // not the hosts of what runs and what arrives
  const instances = await api.list('listVirtualMachines', { listall: 'true' });
  const copies = await api.list('listTemplates', { templatefilter: 'all', id: arriving });
  const busy = JSON.stringify([instances.map((vm) => vm['hostname']), copies]);
  const hosts = Array.from({ length: hostCount }, (_, index) => `sim-${index + 1}`);
  const free = hosts.filter((name) => !busy.includes(name));
  const [lost, away, resting] = free as [string, string, string];
  const [toRest] = await api.list('listHosts', { name: resting });
  const maintenance = api.run('prepareHostForMaintenance', { id: String(toRest!['id']) });
  await setting('1');
  await setFaults({ [lost]: { down: true } });
  const becomes = (name: string, wanted: string) =>
    until(`${name} is ${wanted}`, 60_000, async () =>
      (await stateOf(name))?.['state'] === wanted ? true : undefined,
    );
  await becomes(lost, 'Alert');
  await setting('3600');
  await setFaults({ [lost]: { down: true }, [away]: { disconnectSeconds: 3600 } });
  await becomes(away, 'Disconnected');
  await maintenance;
}

interface Visitor {
  readonly page: Page;
  readonly complaints: string[];
  /** Where the screens that were seen lead to. */
  readonly links: Set<string>;
}

async function logIn(user: string, password: string): Promise<Visitor> {
  const context = await browser.newContext({ viewport: wide, reducedMotion: 'reduce' });
  const page = await context.newPage();
  page.setDefaultTimeout(patience);
  const complaints = complaintsOf(page);
  await page.goto(cloud.origin);
  await page.getByLabel('User name').fill(user);
  await page.getByLabel('Password').fill(password);
  await page.getByRole('button', { name: 'Log in' }).click();
  await page.getByRole('heading', { level: 1, name: 'Dashboard' }).waitFor();
  return { page, complaints, links: new Set() };
}

/** What every screen has one of, unlike the menu around it. */
const marks = '#content :is(h1, .ant-result, [role="alert"])';

/** Goes to another screen as a link does, which loads no page. */
async function visit(page: Page, path: string): Promise<void> {
  await page.evaluate(`{
    for (const mark of document.querySelectorAll('${marks}')) mark.dataset.left = '';
    history.pushState({}, '', '${path}');
    dispatchEvent(new PopStateEvent('popstate', { state: {} }));
  }`);
  await page.locator(`${marks}:not([data-left])`).first().waitFor();
  await settled(page);
}

async function settled(page: Page): Promise<void> {
  await page.locator('.ant-skeleton, .ant-spin-spinning').first().waitFor({ state: 'detached' });
}

/** What is wrong with a screen, wide and on a phone. */
async function problemsOf({ page, complaints, links }: Visitor, path: string): Promise<string[]> {
  complaints.length = 0;
  const problems: string[] = [];
  await visit(page, path);
  const found = await page
    .locator('#content a[href^="/"]')
    .evaluateAll((all) => all.map((link) => (link as unknown as { readonly pathname: string }).pathname));
  for (const link of found) links.add(link);
  for (const viewport of [wide, phone]) {
    await page.setViewportSize(viewport);
    await settled(page);
    // what is around the screens is the same for all, and what is on them at either width
    const wrong =
      viewport === wide ? await accessibilityProblems(page, path === '/' ? undefined : '#content') : [];
    // the menu folds when it has heard of the width
    const fits = 'document.documentElement.scrollWidth <= innerWidth';
    await page.waitForFunction(fits, undefined, { timeout: 5000 }).catch(() => {});
    const tooWide = await page.evaluate<number>('document.documentElement.scrollWidth - innerWidth');
    if (tooWide > 0) wrong.push(`scrolls sideways by ${tooWide} px`);
    problems.push(...wrong.map((problem) => `${path} at ${viewport.width} px: ${problem}`));
  }
  await page.setViewportSize(wide);
  // what a caller may not ask for is refused: the browser tells of it as of a broken link
  const refusals = /Failed to load resource.*\b43[12]\b/;
  problems.push(...complaints.filter((text) => !refusals.test(text)).map((text) => `${path}: ${text}`));
  return problems;
}

async function problemsOfAll(visitor: Visitor): Promise<string[]> {
  const problems: string[] = [];
  const isDetail = (route: string) => route.endsWith('/$id');
  // not the screen that is there: going to it would change nothing
  const screens = routes.filter((one) => !isDetail(one));
  for (const route of [...screens.filter((one) => one !== '/'), '/'])
    problems.push(...(await problemsOf(visitor, route)));
  // one that its list has shown, or one that does not exist where the list is empty
  for (const route of routes.filter(isDetail)) {
    const list = route.slice(0, -'$id'.length);
    const shown = [...visitor.links].find((link) => link.startsWith(list) && !routes.includes(link));
    problems.push(...(await problemsOf(visitor, shown ?? `${list}${nobody}`)));
  }
  return problems;
}

test('every screen, as administrator and as tenant, wide and on a phone: axe finds nothing serious, nothing complains', async (t) => {
  assert.ok(routes.length >= 23, routes.join());
  const begun = performance.now();
  const visitors = await Promise.all([logIn('admin', cloud.password), logIn('ada', 'correct horse')]);
  const [admin, tenant] = await Promise.all(visitors.map(problemsOfAll));
  t.diagnostic(`${routes.length} routes: ${Math.round((performance.now() - begun) / 1000)} s`);
  assert.deepEqual({ admin, tenant }, { admin: [], tenant: [] });
});

test('every state of instances, hosts and templates stands there in words', async () => {
  await statesAreThere;
  const visitor = await logIn('admin', cloud.password);
  const { page } = visitor;
  const sees = async (path: string, words: readonly string[]) => {
    assert.deepEqual(await problemsOf(visitor, path), []);
    for (const word of words)
      await page
        .locator('#content .ant-tag', { hasText: new RegExp(`^${word}$`) })
        .first()
        .waitFor();
  };
  await sees('/instances', ['Running', 'Stopped', 'Error', 'Destroyed', 'Starting']);
  await sees('/hosts', ['Up', 'Alert', 'Disconnected', 'Maintenance']);
  const templates = await cloud.api.list('listTemplates', { templatefilter: 'all' });
  for (const [name, state] of [
    ['good', 'verified'],
    ['arriving', 'arriving'],
    ['refused', 'refused'],
  ] as const) {
    const template = templates.find((row) => row['name'] === name);
    await sees(`/templates/${template!['id']}`, [state]);
  }
});

test('what is done to several chosen instances is done to each of them', async () => {
  const { api } = cloud;
  const [like] = await api.list('listVirtualMachines', { name: 'runs' });
  const zoneid = String(like!['zoneid']);
  const serviceofferingid = String(like!['serviceofferingid']);
  const templateid = String(like!['templateid']);
  for (const name of ['pair-1', 'pair-2'])
    await api.run('deployVirtualMachine', { name, zoneid, serviceofferingid, templateid });
  const { page } = await logIn('admin', cloud.password);
  await visit(page, '/instances');
  for (const name of ['pair-1', 'pair-2'])
    await page.getByRole('row', { name }).getByRole('checkbox').check();
  await page.getByRole('button', { name: 'Stop (2)' }).click();
  await page.getByRole('dialog').getByRole('button', { name: 'Stop', exact: true }).click();
  await until('both are stopped', 60_000, async () => {
    const stopped = await api.list('listVirtualMachines', { state: 'Stopped', keyword: 'pair-' });
    return stopped.length === 2 ? true : undefined;
  });
});
