import assert from 'node:assert/strict';
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import type { Browser, BrowserContext, Page } from 'playwright-core';
import { microIso } from '../fixtures/micro-iso.ts';
import { accessibilityProblems, brightPixels, complaintsOf, openBrowser } from './browser.ts';
import { consoleScreens } from './console-screens.ts';
import { type Instance, makeDataDirectory, resetInstance, startInstance } from './instance.ts';
import { type IsoServer, serveIsos } from './iso-server.ts';

/**
 * The web console in a real browser, at an instance with its demo: every screen, and one life of a template and an
 * instance, by hand. Tests in order. With MILLRACE_SCREENS=DIR each screen is also kept as a picture.
 */

const port = '8080';
const origin = `http://127.0.0.1:${port}`;
const patience = 30_000;
/** Guests are emulated, on machines that are busy with other things. */
const bootPatience = 4 * patience;
const desk = { width: 1280, height: 800 };
const pictures = process.env['MILLRACE_SCREENS'];

let dataDir: string;
let instance: Instance;
let browser: Browser;
let context: BrowserContext;
let page: Page;
let complaints: string[];
let metalink: string;
let isos: IsoServer;

before(async () => {
  dataDir = await makeDataDirectory();
  instance = await startInstance(dataDir, []);
  browser = await openBrowser();
  context = await browser.newContext({
    viewport: desk,
    // a screen that is still fading is no screen to judge
    reducedMotion: 'reduce',
  });
  page = await context.newPage();
  page.setDefaultTimeout(patience);
  complaints = complaintsOf(page);
  await demoIsDone();
  metalink = await demoMetalink();
  isos = await serveIsos({ 'drivers.iso': microIso({ label: 'DRIVERS', boot: undefined }) });
  const allowed = { name: 'direct.download.egress.allowed.cidrs', value: '127.0.0.0/8' };
  await instance.api.call('updateConfiguration', allowed);
  if (pictures) await mkdir(pictures, { recursive: true });
});

after(async () => {
  await browser?.close();
  isos?.close();
  await instance?.stop();
  if (dataDir) await resetInstance(dataDir);
});

async function demoIsDone(): Promise<void> {
  const deadline = Date.now() + 6 * patience;
  while (!/What to try next/.test(instance.output())) {
    assert.ok(Date.now() < deadline, instance.output());
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
}

async function demoMetalink(): Promise<string> {
  const [template] = await instance.api.list('listTemplates', { templatefilter: 'all' });
  return String(template?.['url']);
}

function password(): string {
  const found = /admin\s+password (\S+)/.exec(instance.output())?.[1];
  assert.ok(found, 'the launcher tells the password');
  return found;
}

async function see(path: string, heading: string): Promise<void> {
  await page.goto(`${origin}${path}`);
  await page.getByRole('heading', { level: 1, name: heading }).waitFor();
  await page.locator('.ant-skeleton, .ant-spin-spinning').first().waitFor({ state: 'detached' });
}

async function picture(name: string): Promise<void> {
  if (!pictures) return;
  for (const colorScheme of ['light', 'dark'] as const) {
    await page.emulateMedia({ colorScheme });
    await page.waitForTimeout(300);
    await page.screenshot({ path: join(pictures, `${name}-${colorScheme}.png`) });
  }
  await page.emulateMedia({ colorScheme: 'light' });
  await page.waitForTimeout(300);
}

test('a wrong password is refused in words, the right one leads to the dashboard, and a reload stays there', async () => {
  await page.goto(origin);
  await page.getByLabel('Password').fill('wrong');
  await page.getByRole('button', { name: 'Log in' }).click();
  await page.getByRole('alert').getByText('Failed to authenticate user admin').waitFor();
  await picture('login');
  assert.deepEqual(await accessibilityProblems(page), []);
  complaints.length = 0;
  await page.getByLabel('Password').fill(password());
  await page.getByRole('button', { name: 'Log in' }).click();
  await page.getByRole('heading', { level: 1, name: 'Dashboard' }).waitFor();
  await page.reload();
  await page.getByRole('heading', { level: 1, name: 'Dashboard' }).waitFor();
  // nothing a script could steal
  assert.equal(await page.evaluate('document.cookie'), '');
});

test('a template is registered by pasting a metalink: a host says what it found', async () => {
  await see('/templates/register', 'Register a template');
  await page.getByLabel('URL of the image or metalink').fill(metalink);
  await page.getByRole('button', { name: 'Look at it' }).click();
  const report = page.locator('.ant-card', { hasText: 'What the host found' });
  await report.getByText('from the metalink').waitFor();
  assert.ok((await report.getByText('usable', { exact: true }).count()) >= 1);
  await picture('register');
  assert.deepEqual(await accessibilityProblems(page), []);
  await page.getByLabel('Name', { exact: true }).fill('from-the-form');
  await page.getByRole('button', { name: 'Register', exact: true }).click();
  await page.getByRole('heading', { level: 1, name: 'from-the-form' }).waitFor();
  await page.getByText('Direct download').first().waitFor();
});

test('a URL that leads nowhere is refused with cause and next step, and registers nothing', async () => {
  const before = await instance.api.list('listTemplates', { templatefilter: 'all' });
  await see('/templates/register', 'Register a template');
  await page.getByLabel('URL of the image or metalink').fill('http://127.0.0.1:8999/nothing.qcow2');
  await page.getByRole('button', { name: 'Look at it' }).click();
  await page
    .getByRole('alert')
    .getByText(/refuses connections.*Next: check that the web server runs/s)
    .waitFor();
  const afterwards = await instance.api.list('listTemplates', { templatefilter: 'all' });
  assert.equal(afterwards.length, before.length);
});

test('an instance is deployed in one form; its timeline shows the image arrive, its console the guest boot', async () => {
  await see('/templates', 'Templates');
  await page.getByRole('link', { name: 'from-the-form' }).click();
  await page.getByRole('link', { name: 'Deploy an instance' }).click();
  await page.getByLabel('Name', { exact: true }).fill('by-hand');
  await page.getByRole('button', { name: 'Deploy', exact: true }).click();
  await page.getByRole('heading', { level: 1, name: 'by-hand' }).waitFor();
  await page.getByText('Attempt 1', { exact: false }).first().waitFor();
  await picture('timeline');
  const sources = page.getByRole('table', { name: 'Sources that were tried' }).first();
  await sources.getByText('succeeded').first().waitFor();
  await page.getByRole('button', { name: 'Reboot' }).waitFor();
  assert.deepEqual(await accessibilityProblems(page), []);
  await page.getByRole('tab', { name: 'Console' }).click();
  await page.getByText('Log', { exact: true }).click();
  await page.getByText('MILLRACE-GUEST: ready').waitFor({ timeout: bootPatience });
  await picture('log');
  assert.deepEqual(await accessibilityProblems(page), []);
  await page.getByRole('tab', { name: 'Overview' }).click();
  await page.getByText('Running').first().waitFor();
  await picture('instance');
});

test('what is typed into the serial line is answered by the guest', async () => {
  await page.getByRole('tab', { name: 'Console' }).click();
  await page.getByText('Serial line', { exact: true }).click();
  await page.getByText('connected', { exact: true }).waitFor();
  const line = page.getByRole('region', { name: 'Serial line' });
  await line.click();
  await page.keyboard.type('echo $((6*7))-is-the-answer; hostname\n');
  await line.getByText('42-is-the-answer').first().waitFor({ timeout: bootPatience });
  await line.getByText('by-hand').first().waitFor();
  await picture('serial');
  assert.deepEqual(await accessibilityProblems(page), []);
});

test('the screen shows what the guest paints, and takes what is typed and pasted', async () => {
  complaints.length = 0;
  await page.getByText('Screen', { exact: true }).click();
  await page.getByText('connected', { exact: true }).waitFor();
  const screen = page.getByRole('region', { name: 'Screen' }).locator('canvas');
  await brightPixels(screen, patience, (count) => count > 500);
  await screen.click();
  await page.keyboard.type('clear; for i in 1 2 3 4 5 6 7 8 9; do echo WWWWWWWWWWWWWWWWWWWWWWWWWW; done\n');
  const typed = await brightPixels(screen, patience, (count) => count > 5000);
  await page.getByRole('button', { name: 'Paste text' }).click();
  await page.getByRole('textbox', { name: 'Paste text' }).fill('clear\n');
  await page.getByRole('button', { name: 'Type it' }).click();
  await brightPixels(screen, patience, (count) => count < typed / 2);
  await picture('console');
  assert.deepEqual(await accessibilityProblems(page), []);
  assert.deepEqual(complaints, []);
  await page.getByRole('tab', { name: 'Overview' }).click();
});

test('the page that createConsoleEndpoint names shows the console without a session, once', async () => {
  const { api } = instance;
  const rows = await api.list('listVirtualMachines', { name: 'by-hand' });
  const answer = await api.call('createConsoleEndpoint', {
    virtualmachineid: String(rows[0]!['id']),
    consoletype: 'serial',
  });
  const { url } = answer['consoleendpoint'] as { url: string };
  const stranger = await browser.newContext();
  try {
    const other = await stranger.newPage();
    await other.goto(url);
    await other.getByText('connected', { exact: true }).waitFor();
    const line = other.getByRole('region', { name: 'Serial line' });
    await line.click();
    await other.keyboard.type('echo $((40+2))-without-a-session\n');
    await line.getByText('42-without-a-session').first().waitFor();
    assert.deepEqual(await accessibilityProblems(other), []);
    assert.doesNotMatch(other.url(), /token/);
    const again = await stranger.newPage();
    await again.goto(url);
    await again.getByText('this link was used before or is too old').waitFor();
  } finally {
    await stranger.close();
  }
});

test('an instance is reinstalled, destroyed, recovered and expunged, each after a question where something is lost', async () => {
  const confirm = async (name: string) => {
    await page.getByRole('button', { name, exact: true }).click();
    const dialog = page.getByRole('dialog').filter({ hasText: `${name} by-hand?` });
    await dialog.getByRole('button', { name, exact: true }).click();
    await dialog.waitFor({ state: 'detached' });
  };
  await confirm('Reinstall');
  await page.getByRole('button', { name: /^Jobs,/ }).click();
  await page.getByText('Reinstall: by-hand').waitFor();
  await page.keyboard.press('Escape');
  await page.mouse.click(640, 700);
  await page.getByRole('tab', { name: 'Timeline' }).click();
  await page.getByText('restoreVirtualMachine').first().waitFor();
  await page
    .locator('.ant-card', { hasText: 'restoreVirtualMachine' })
    .first()
    .getByText('done')
    .first()
    .waitFor();
  await page.getByRole('tab', { name: 'Overview' }).click();
  await page.getByText('Running').first().waitFor();
  await confirm('Destroy');
  await page.getByRole('button', { name: 'Recover' }).click();
  await page.getByText('Stopped').first().waitFor();
  await confirm('Destroy');
  await page.getByRole('button', { name: 'Expunge' }).waitFor();
  await confirm('Expunge');
  await page.getByText('There is no such instance').waitFor();
});

test('an ISO is registered by its URL, put into the drive of a running instance, and taken out again', async () => {
  await see('/isos/register', 'Register an ISO');
  await page.getByLabel('URL of the image or metalink').fill(await isos.metalink('drivers.iso'));
  await page.getByRole('button', { name: 'Look at it' }).click();
  const report = page.locator('.ant-card', { hasText: 'What the host found' });
  await report.getByText('not usable').waitFor();
  await report.getByText('ISO', { exact: true }).waitFor();
  await page.getByLabel('Name', { exact: true }).fill('drivers');
  await page.getByRole('button', { name: 'Register', exact: true }).click();
  await page.getByRole('heading', { level: 1, name: 'drivers' }).waitFor();
  await see('/instances', 'Instances');
  await page.getByRole('link', { name: 'demo-1' }).click();
  await page.getByRole('button', { name: 'Attach an ISO' }).click();
  const dialog = page.getByRole('dialog');
  await dialog.getByLabel('ISO').click();
  await page.getByTitle('drivers').click();
  assert.deepEqual(await accessibilityProblems(page), []);
  await picture('attach-iso');
  await dialog.getByRole('button', { name: 'Attach an ISO' }).click();
  await page.getByRole('link', { name: 'drivers' }).waitFor();
  await page.getByRole('tab', { name: 'Console' }).click();
  await page.getByText('Log', { exact: true }).click();
  await page.getByText('MILLRACE-GUEST: cdrom DRIVERS').waitFor();
  await page.getByRole('button', { name: 'Detach the ISO' }).click();
  await page.getByRole('dialog').getByRole('button', { name: 'Detach the ISO' }).click();
  await page.getByRole('button', { name: 'Attach an ISO' }).waitFor();
});

test('every screen shows what there is, complains about nothing, and axe finds nothing serious in the dark', async () => {
  complaints.length = 0;
  for (const [path, heading, content] of consoleScreens) {
    await see(path, heading);
    await page.getByText(content).first().waitFor();
    await picture(path.slice(1).replaceAll(/\W/g, '-') || 'dashboard');
    // in the light, and on a phone, console-breadth.test.ts looks at every screen
    await page.emulateMedia({ colorScheme: 'dark', reducedMotion: 'reduce' });
    await page.waitForTimeout(200);
    assert.deepEqual(await accessibilityProblems(page), [], `${path}, in the dark`);
    await page.emulateMedia({ colorScheme: 'light' });
  }
  assert.deepEqual(complaints, []);
});

test('search and page of a list are in the URL, so that it can be sent to somebody', async () => {
  await see('/instances?keyword=no-such-instance', 'Instances');
  await page.getByText('No instances yet.').waitFor();
  await page.getByRole('searchbox').fill('demo');
  await page.getByRole('searchbox').press('Enter');
  await page.getByRole('link', { name: 'demo-1' }).waitFor();
  assert.match(page.url(), /keyword=demo/);
});

test('an image is prefetched, and a host takes no new instances until it is enabled again', async () => {
  await see('/templates', 'Templates');
  await page.getByRole('link', { name: 'from-the-form' }).click();
  await page.getByRole('button', { name: 'Prefetch', exact: true }).click();
  await page.getByRole('button', { name: /^Jobs,/ }).click();
  await page.getByRole('link', { name: 'Prefetch: from-the-form' }).click();
  await page.getByRole('heading', { level: 1, name: 'Job prepareTemplate' }).waitFor();
  await page.getByText('succeeded').first().waitFor();
  await see('/templates', 'Templates');
  await page.getByRole('link', { name: 'from-the-form' }).click();
  await page.getByRole('button', { name: /^Evict: / }).click();
  await page.getByRole('dialog').getByRole('button', { name: 'Evict' }).click();
  await page.getByRole('button', { name: /^Prefetch: / }).waitFor();
  await page.getByRole('table', { name: 'Copies on storage pools' }).getByText('absent').waitFor();
  await page.getByRole('button', { name: 'Look at them now' }).click();
  await page
    .getByRole('table', { name: /^Sources, in the order/ })
    .getByText('usable')
    .first()
    .waitFor();
  await see('/hosts', 'Hosts');
  await page.getByRole('button', { name: /^Disable: / }).click();
  await page.getByRole('button', { name: /^Enable: / }).click();
  await page.getByRole('button', { name: /^Disable: / }).waitFor();
});

test('a setting that breaks its rule is refused in the dialog', async () => {
  await see('/settings?keyword=direct.download.checksum', 'Global settings');
  await page
    .getByRole('button', { name: /^Change: / })
    .first()
    .click();
  const dialog = page.getByRole('dialog');
  await dialog.getByLabel('Value').fill('many');
  await dialog.getByRole('button', { name: 'Save' }).click();
  await dialog
    .getByRole('alert')
    .getByText(/correlation [0-9a-f-]{36}/)
    .waitFor();
  await dialog.getByRole('button', { name: 'Leave it' }).click();
});

test('instances are put in an order, shown by other columns, and chosen for what can be done with several', async () => {
  await see('/instances', 'Instances');
  await page.getByRole('columnheader', { name: 'Name' }).click();
  await page.waitForURL(/sort=name/);
  await page.getByRole('button', { name: 'Columns: Instances' }).click();
  await page.getByRole('checkbox', { name: 'Zone', exact: true }).check();
  await page.keyboard.press('Escape');
  await page.mouse.click(640, 700);
  await page.reload();
  await page.getByRole('columnheader', { name: 'Zone' }).waitFor();
  const row = page.getByRole('row', { name: /demo-1/ });
  await row.getByRole('checkbox').check();
  assert.ok(await page.getByRole('button', { name: 'Start (0)' }).isDisabled(), 'it runs');
  assert.deepEqual(await accessibilityProblems(page), []);
  await picture('bulk');
  await page.getByRole('button', { name: 'Destroy (1)' }).waitFor();
});

test('an instance has tags; a zone is made, changed and deleted; a limit is set, all by hand', async () => {
  await see('/instances', 'Instances');
  await page.getByRole('link', { name: 'demo-1' }).click();
  await page.getByRole('button', { name: /^Add a tag: / }).click();
  const dialog = page.getByRole('dialog');
  await dialog.getByLabel('Key').fill('env');
  await dialog.getByLabel('Value').fill('prod');
  await dialog.getByRole('button', { name: 'Add a tag' }).click();
  await page.getByText('env=prod').waitFor();
  await page.getByRole('button', { name: 'Take off the tag: env' }).click();
  await page.getByText('no tags').waitFor();

  await see('/places', 'Zones');
  await page.getByRole('button', { name: 'Make a zone' }).click();
  for (const [label, value] of [
    ['Name', 'north'],
    ['DNS server of guests', '192.0.2.53'],
    ['DNS server of hosts', '192.0.2.53'],
  ] as const)
    await dialog.getByLabel(label).fill(value);
  assert.deepEqual(await accessibilityProblems(page), []);
  await dialog.getByRole('button', { name: 'Make a zone' }).click();
  await page.getByRole('button', { name: 'Change: north' }).click();
  await dialog.getByLabel('Location').fill('no');
  await dialog.getByRole('button', { name: 'Change' }).click();
  await page.getByRole('row', { name: /north/ }).getByText('no', { exact: true }).waitFor();
  await page.getByRole('button', { name: 'Delete: north' }).click();
  await dialog.getByRole('button', { name: 'Delete' }).click();
  await page.getByRole('row', { name: /north/ }).waitFor({ state: 'detached' });

  await see('/limits', 'Limits');
  await page.getByRole('button', { name: 'Change: Disks' }).click();
  await dialog.getByLabel('At most').fill('17');
  await dialog.getByRole('button', { name: 'Change' }).click();
  await page.getByRole('row', { name: /Disks/ }).getByText('17').waitFor();
});

test('a tenant is made by hand, logs in, sees nothing of others and no page of administrators', async () => {
  await see('/domains', 'Domains');
  await page.getByRole('button', { name: 'Make a domain' }).click();
  const dialog = page.getByRole('dialog');
  await dialog.getByLabel('Name').fill('acme');
  await dialog.getByRole('button', { name: 'Make a domain' }).click();
  await page.getByText('ROOT/acme').waitFor();
  await see('/accounts', 'Accounts');
  await page.getByRole('button', { name: 'Make an account' }).click();
  for (const [label, value] of [
    ['User name', 'ada'],
    ['First name', 'Ada'],
    ['Last name', 'Lovelace'],
    ['E-mail', 'ada@example.org'],
    ['New password', 'correct horse'],
  ] as const)
    await dialog.getByLabel(label).fill(value);
  await dialog.getByLabel('Domain').click();
  await page.getByTitle('ROOT/acme').click();
  assert.deepEqual(await accessibilityProblems(page), []);
  await picture('new-account');
  await dialog.getByRole('button', { name: 'Make an account' }).click();
  await page.getByRole('cell', { name: 'ada' }).first().waitFor();

  const tenants = await browser.newContext({
    viewport: { width: 1280, height: 800 },
    reducedMotion: 'reduce',
  });
  try {
    const hers = await tenants.newPage();
    hers.setDefaultTimeout(patience);
    await hers.goto(origin);
    await hers.getByLabel('User name').fill('ada');
    await hers.getByLabel('Password').fill('correct horse');
    await hers.getByLabel('Domain').fill('acme');
    await hers.getByRole('button', { name: 'Log in' }).click();
    await hers.getByRole('heading', { level: 1, name: 'Dashboard' }).waitFor();
    const menu = hers.getByRole('navigation', { name: 'Main menu' });
    await menu.getByRole('link', { name: 'Instances' }).click();
    await hers.getByText('No instances yet.').waitFor();
    for (const name of ['Hosts', 'Accounts', 'Roles', 'Global settings'])
      assert.equal(await menu.getByRole('link', { name }).count(), 0, name);
    assert.deepEqual(await accessibilityProblems(hers), []);
    await hers.getByRole('button', { name: 'ada' }).click();
    await hers.getByRole('button', { name: /New API keys/ }).click();
    await hers.getByRole('dialog').getByRole('button', { name: 'New API keys' }).click();
    await hers.getByText(/secretkey/).waitFor();

    await page.getByRole('button', { name: 'Disable: ada' }).click();
    await dialog.getByRole('button', { name: 'Disable' }).click();
    await page.getByText('disabled').first().waitFor();
    await hers.goto(`${origin}/instances`);
    await hers.getByRole('button', { name: 'Log in' }).waitFor();
  } finally {
    await tenants.close();
  }
});

test('logging out ends the session: the next page asks for the password', async () => {
  await page.goto(origin);
  await page.getByRole('button', { name: 'Log out' }).click();
  await page.getByLabel('Password').waitFor();
  await page.goto(`${origin}/instances`);
  await page.getByLabel('Password').waitFor();
});
