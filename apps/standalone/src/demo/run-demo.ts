import { join } from 'node:path';
import { type ApiClient, type Job, objectsOf, textMember } from '@millrace/api-client';
import { formatBytes, formatDuration, type Progress } from '../progress.ts';
import { buildTinyTemplate, type TinyTemplate } from '../tiny-template/build-tiny-template.ts';
import {
  demoFailed,
  findVm,
  firstZone,
  listRows,
  requireText,
  smallestOffering,
  templateExists,
} from './api-reads.ts';
import { waitForGuestLine } from './guest-line.ts';
import { type PublishedTemplate, publishTemplate, serveAgain } from './publish-template.ts';
import { type DemoState, readDemoState, writeDemoState } from './state.ts';
import { orderedPhases, phaseTable, viewDeployment } from './watch-deployment.ts';

export interface DemoOptions {
  readonly api: ApiClient;
  readonly dataDirectory: string;
  /** Kernel and built templates, shared by all instances of this checkout. */
  readonly cacheDirectory: string;
  /** Proxy settings for apt. */
  readonly environment: Readonly<Record<string, string>>;
  readonly progress: Progress;
  /** Milliseconds, rising. */
  readonly now: () => number;
  readonly signal: AbortSignal;
}

export interface Demo {
  /** With what the VM was deployed; `undefined` when an earlier start has done it all. */
  readonly ran: Ingredients | undefined;
  close(): Promise<void>;
}

interface Ingredients {
  readonly zoneId: string;
  readonly templateId: string;
  readonly offeringId: string;
}

/** How far the demo is, on disk too, and how long its parts took. */
interface Course {
  readonly state: () => DemoState;
  readonly remember: (change: DemoState) => Promise<void>;
  readonly timed: <T>(name: string, work: () => Promise<T>) => Promise<T>;
  readonly times: [string, number][];
}

const templateName = 'tiny-linux';
const vmName = 'demo-1';
const templateTag = 'demo';
const egressSetting = 'direct.download.egress.allowed.cidrs';
const ownSource = '127.0.0.1/32';

/**
 * Shows the main thing Millrace does: a template that is only a URL, and a VM for which the host fetches it. What an
 * earlier start has done already is kept, so that an interrupted demo goes on where it was. The mirror stays up until
 * `close`, for those who deploy more.
 * @throws MillraceError `DEMO_FAILED`; ApiCallError and JobFailedError of the API
 */
export async function runDemo(options: DemoOptions): Promise<Demo> {
  const directory = join(options.dataDirectory, 'demo');
  const course = await openCourse(join(directory, 'state.json'), options.now);
  const vm = await findVm(options, course.state().vmId);
  if (course.state().finished && vm !== undefined) {
    const mirror = await serveAgain(join(directory, 'mirror'), course.state().mirrorPort ?? 0);
    options.progress.line(
      `✔ Demo: done by an earlier start; its VM ${vmName} is ${textMember(vm, 'state') ?? 'there'}`,
    );
    return { ran: undefined, close: () => mirror.close() };
  }
  const template = await course.timed('building the template', () => buildTemplate(options));
  const published = await publishTemplate(
    template,
    join(directory, 'mirror'),
    course.state().mirrorPort ?? 0,
    options.signal,
  );
  const close = () => published.mirror.close();
  try {
    await course.remember({ mirrorPort: published.mirror.port });
    return { ran: await showDeployment(options, course, published, vm !== undefined), close };
  } catch (error) {
    await close();
    throw error;
  }
}

async function openCourse(path: string, now: () => number): Promise<Course> {
  let state = await readDemoState(path);
  const times: [string, number][] = [];
  return {
    times,
    state: () => state,
    remember: async (change) => {
      state = { ...state, ...change };
      await writeDemoState(path, state);
    },
    timed: async (name, work) => {
      const begun = now();
      const result = await work();
      times.push([name, now() - begun]);
      return result;
    },
  };
}

async function buildTemplate(options: DemoOptions): Promise<TinyTemplate> {
  return options.progress.step('Tiny Linux template', async (note) => {
    note('building it from Debian packages (kernel, busybox, syslinux)');
    const template = await buildTinyTemplate({
      cacheDirectory: options.cacheDirectory,
      tag: templateTag,
      environment: options.environment,
      signal: options.signal,
    });
    const origin = template.builtNow ? 'built' : 'from the cache';
    const detail = `${formatBytes(template.sizeBytes)}, Linux ${template.kernelVersion}, ${origin}`;
    return { value: template, detail };
  });
}

async function showDeployment(
  options: DemoOptions,
  course: Course,
  published: PublishedTemplate,
  vmExists: boolean,
): Promise<Ingredients> {
  const { progress, now } = options;
  for (const text of [
    '',
    '  The demo: a template that is only a URL, and a VM whose host fetches it by itself.',
    '',
  ]) {
    progress.line(text);
  }
  await allowOwnSource(options);
  const zoneId = await firstZone(options);
  const offeringId = await smallestOffering(options);
  const templateId = await obtainTemplate(options, course, published, zoneId);
  const ingredients = { zoneId, templateId, offeringId };
  const begun = now();
  const { jobId, vmId } = await obtainDeployment(options, course, ingredients, vmExists);
  course.times.push(...(await followJob(options, jobId)));
  const deployed = now() - begun;
  const line = await course.timed("booting, to the guest's line", () => waitForGuestLine(options, vmId));
  await course.remember({ finished: true });
  for (const text of [
    '',
    '  What the guest says on its serial console:',
    `    ${line}`,
    '',
    '  Where the time went:',
    ...phaseTable(course.times),
    `    From the call to Running: ${formatDuration(deployed)}; to the guest's line: ${formatDuration(now() - begun)}.`,
  ]) {
    progress.line(text);
  }
  return ingredients;
}

/** Loopback is refused as a source, for good reasons; the demo's mirror is there, so the demo says so and allows it. */
async function allowOwnSource(options: DemoOptions): Promise<void> {
  const { api, progress, signal } = options;
  const rows = await listRows(options, 'listConfigurations', { name: egressSetting });
  const setting = rows.find((row) => textMember(row, 'name') === egressSetting);
  const current = setting === undefined ? '' : (textMember(setting, 'value') ?? '');
  const allowed = current
    .split(',')
    .map((cidr) => cidr.trim())
    .filter(Boolean);
  if (allowed.includes(ownSource)) return;
  const value = [...allowed, ownSource].join(',');
  await api.call('updateConfiguration', { name: egressSetting, value }, { signal });
  progress.line('✔ Loopback sources are refused by default: the demo allows its own');
  progress.line(`    ${egressSetting} = ${value}`);
}

async function obtainTemplate(
  options: DemoOptions,
  course: Course,
  published: PublishedTemplate,
  zoneid: string,
): Promise<string> {
  const { api, progress, signal } = options;
  const known = course.state().templateId;
  if (known !== undefined && (await templateExists(options, known))) return known;
  for (const text of [
    `  Its metalink ${published.metalinkUrl} lists two mirrors of ${formatBytes(published.compressedBytes)} (.qcow2.bz2):`,
    `    1. ${published.deadUrl}   dead, to see what happens`,
    `    2. ${published.goodUrl}   slowed down, to see something`,
  ]) {
    progress.line(text);
  }
  const title = 'Template registered by its URL (registerTemplate directdownload=true)';
  const templateId = await course.timed('registering it', () =>
    progress.step(title, async () => {
      const answer = await api.call(
        'registerTemplate',
        {
          name: templateName,
          displaytext: 'A tiny Linux to try Millrace with',
          url: published.metalinkUrl,
          format: 'QCOW2',
          hypervisor: 'KVM',
          zoneid,
          directdownload: true,
        },
        { signal },
      );
      const [template] = objectsOf(answer['template']);
      if (template === undefined) throw demoFailed('registerTemplate answered without a template');
      return { value: requireText(template, 'id'), detail: 'probed from the host, no image byte kept' };
    }),
  );
  await course.remember({ templateId });
  return templateId;
}

async function obtainDeployment(
  options: DemoOptions,
  course: Course,
  { zoneId, templateId, offeringId }: Ingredients,
  vmExists: boolean,
): Promise<{ readonly jobId: string; readonly vmId: string }> {
  const { api, progress, signal } = options;
  const known = course.state();
  if (vmExists && known.jobId !== undefined && known.vmId !== undefined) {
    progress.line(`  Following the deployment of ${vmName} that an earlier start began:`);
    return { jobId: known.jobId, vmId: known.vmId };
  }
  progress.line(`  Deploying ${vmName} (deployVirtualMachine):`);
  const answer = await api.call(
    'deployVirtualMachine',
    { zoneid: zoneId, templateid: templateId, serviceofferingid: offeringId, name: vmName },
    { signal },
  );
  const begun = { jobId: requireText(answer, 'jobid'), vmId: requireText(answer, 'id') };
  await course.remember({ ...begun, finished: false });
  return begun;
}

/** Waits for the deployment, showing it. @returns the phases' times, in their order */
async function followJob({ api, progress, signal }: DemoOptions, jobId: string): Promise<[string, number][]> {
  const view = viewDeployment(progress);
  let phases: Readonly<Record<string, number>> = {};
  const onUpdate = (job: Job) => {
    view.update(job);
    phases = job.progress?.phasems ?? phases;
  };
  await api.waitForJob(jobId, {
    signal,
    pollMs: 200,
    onUpdate,
    onTrouble: (error) => progress.live(`    ${error.message}`),
  });
  return orderedPhases(phases).filter(([name]) => name !== 'running');
}
