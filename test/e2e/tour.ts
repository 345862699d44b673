import assert from 'node:assert/strict';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { MillraceError, runProgram } from '@millrace/core';
import { z } from 'zod';
import type { Instance } from './instance.ts';

const root = fileURLToPath(new URL('../..', import.meta.url));
const uuids = /([0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12})( {2})?/g;
const idWidth = 36;
const password = 'a long password';

export interface TourGround {
  readonly instance: Instance;
  /** Where the tenant's files and profile are. */
  readonly home: string;
  /** On a web server of this machine. */
  readonly images: { readonly template: string; readonly iso: string };
}

/** What an operator does before: an account of two instances in a domain whose users do not expunge. */
async function makeTenant({ instance, images }: TourGround): Promise<void> {
  const { api } = instance;
  const call = async (command: string, params: Record<string, string>) =>
    Object.values(await api.call(command, params)).find((value) => typeof value === 'object') as {
      id: string;
    };
  const { id: domainid } = await call('createDomain', { name: 'acme' });
  const person = { firstname: 'Ada', lastname: 'Lovelace', email: 'ada@acme.example' };
  await call('createAccount', { ...person, username: 'ada', password, accounttype: '0', domainid });
  await call('updateResourceLimit', { domainid, account: 'ada', resourcetype: '0', max: '2' });
  await call('updateConfiguration', { name: 'allow.user.expunge.recover.vm', value: 'false', domainid });
  const egress = { name: 'direct.download.egress.allowed.cidrs', value: '127.0.0.0/8' };
  await call('updateConfiguration', egress);
  // an agent that has just started on a busy machine takes longer to look the first time
  await api.call('probeTemplate', { url: images.template }).catch(() => {});
}

interface Terminal {
  readonly lines: string[];
  /** Runs the command line program as the tenant. @returns what it printed */
  run(
    words: readonly string[],
    options?: { readonly input?: string; readonly exit?: number; readonly names?: string },
  ): Promise<string>;
  /** Runs a line that names something, and gives what it named a word for later lines. @returns its ID */
  name(word: string, words: readonly string[]): Promise<string>;
  heading(title: string): void;
}

const failure = z.object({ exitCode: z.number(), stderr: z.string() });

function openTerminal({ home }: TourGround): Terminal {
  const lines: string[] = [];
  const names = new Map<string, string>();
  const told = (text: string) =>
    text
      .replaceAll(uuids, (_, id: string, gap: string | undefined) => {
        const word = names.get(id) ?? '…';
        return gap === undefined ? word : word.padEnd(idWidth) + gap;
      })
      .replaceAll(/(https?:\/\/127\.0\.0\.1):\d+/g, '$1:8000')
      .replaceAll(/(token|sessionkey)=[\w.-]+/g, '$1=…');
  const run: Terminal['run'] = async (words, { input, exit = 0, names: word } = {}) => {
    const shown = words.map((word) => (/[\s'"<>;*]/.test(word) ? `'${word}'` : word)).join(' ');
    let printed = '';
    let code = 0;
    try {
      const { stdout } = await runProgram(join(root, 'bin/millrace'), [...words], {
        signal: AbortSignal.timeout(120_000),
        env: { HOME: home, MILLRACE_CONFIG: join(home, 'tour.json'), MILLRACE_STATE_DIR: join(home, 'tour') },
        cwd: home,
        ...(input === undefined ? {} : { input }),
      });
      printed = stdout;
    } catch (error) {
      if (!(error instanceof MillraceError) || error.code !== 'PROGRAM_FAILED') throw error;
      const { exitCode, stderr } = failure.parse(error.details);
      printed = stderr;
      code = exitCode;
    }
    assert.equal(code, exit, `${shown}: ${printed}`);
    if (word !== undefined) {
      const [, id] = new RegExp(uuids).exec(printed) ?? [];
      assert.ok(id, `${shown} named nothing: ${printed}`);
      names.set(id, word);
    }
    const text = told(printed).trimEnd();
    lines.push(
      `$ bin/millrace ${told(shown)}`,
      ...(text === '' ? [] : text.split('\n').map((line) => line.trimEnd())),
    );
    return printed;
  };
  return {
    lines,
    run,
    async name(word, words) {
      await run(words, { names: word });
      return [...names].find(([, known]) => known === word)![0];
    },
    heading: (title) => void lines.push('```', '', `## ${title}`, '', '```'),
  };
}

/** The whole tour, as the tenant types it. @returns docs/tour.md as it is today */
export async function takeTour(ground: TourGround): Promise<string> {
  await makeTenant(ground);
  await writeFile(join(ground.home, 'cloud.yaml'), '#cloud-config\nhostname: web\n');
  const terminal = openTerminal(ground);
  const { run, name, heading, lines } = terminal;
  const url = /https?:\/\/[^/\s]+\/client\/api/.exec(ground.instance.output())?.[0];
  const { origin } = new URL(url ?? 'http://127.0.0.1:8080');
  await run(['set', 'profile', 'ada']);
  await run(['set', 'url', `${origin}/client/api`]);
  await run(['set', 'username', 'ada']);
  await run(['set', 'domain', 'acme']);
  await run(['set', 'password', '-'], { input: `${password}\n` });
  heading('What there is');
  const zone = await name('ZONE', ['list', 'zones', 'filter=id,name,networktype']);
  await run(['list', 'networks', 'filter=name,type,state']);
  const offering = await name('OFFERING', [
    'list',
    'serviceofferings',
    'name=Micro',
    'filter=id,name,memory',
  ]);
  const disk = await name('DISK', ['list', 'diskofferings', 'name=Custom', 'filter=id,name,iscustomized']);
  await run(['list', 'hosts'], { exit: 2 });

  heading('A key, user data, an image');
  await run(['create', 'sshkeypair', 'name=ada', 'filter=name']);
  const data = await name('DATA', [
    'register',
    'userdata',
    'name=cloud',
    'userdata=@cloud.yaml',
    'filter=id,name',
  ]);
  const template = await name('TEMPLATE', [
    ...['register', 'template', 'name=guest', 'displaytext=A small guest', `url=${ground.images.template}`],
    ...['format=RAW', 'hypervisor=KVM', `zoneid=${zone}`, 'filter=id,name,format,isready'],
  ]);

  heading('An instance');
  const wanted = [`zoneid=${zone}`, `templateid=${template}`, `serviceofferingid=${offering}`];
  const deploy = ['deploy', 'virtualmachine', ...wanted];
  const web = await name('WEB', [
    ...deploy,
    'name=web',
    'keypair=ada',
    `userdataid=${data}`,
    'filter=id,name,state',
  ]);
  await run(['list', 'virtualmachines', 'filter=name,state,templatename,keypairs']);
  await run(['stop', 'virtualmachine', `id=${web}`, 'filter=name,state']);
  await run(['start', 'virtualmachine', `id=${web}`, 'filter=name,state']);
  await run(['create', 'consoleendpoint', `virtualmachineid=${web}`, 'filter=success,url']);

  heading('An ISO, a disk, tags');
  const iso = await name('ISO', [
    ...[
      'register',
      'iso',
      'name=drivers',
      'displaytext=Drivers',
      `url=${ground.images.iso}`,
      `zoneid=${zone}`,
    ],
    'filter=id,name,isready',
  ]);
  await run(['attach', 'iso', `id=${iso}`, `virtualmachineid=${web}`, 'filter=name,isoname']);
  await run(['detach', 'iso', `virtualmachineid=${web}`, 'filter=name,isoname']);
  const volume = await name('VOLUME', [
    ...['create', 'volume', 'name=data', `zoneid=${zone}`, `diskofferingid=${disk}`, 'size=1'],
    'filter=id,name,type,state',
  ]);
  await run(['attach', 'volume', `id=${volume}`, `virtualmachineid=${web}`, 'filter=name,vmname,deviceid']);
  const tags = ['resourcetype=UserVm', `resourceids=${web}`, 'tags[0].key=role', 'tags[0].value=web'];
  await run(['create', 'tags', ...tags]);
  await run(['list', 'virtualmachines', 'tags[0].key=role', 'tags[0].value=web', 'filter=name,state']);

  heading('Where it ends');
  await run([...deploy, 'name=second', 'startvm=false', 'filter=name,state']);
  await run([...deploy, 'name=one-more'], { exit: 1 });
  await run(['list', 'resourcelimits', 'resourcetype=0', 'filter=resourcetypename,max']);
  await run(['stop', 'virtualmachine', `id=${web}`, 'forced=true', 'filter=name,state']);
  await run(['detach', 'volume', `id=${volume}`, 'filter=name,state']);
  await run(['delete', 'volume', `id=${volume}`]);
  await run(['destroy', 'virtualmachine', `id=${web}`, 'filter=name,state']);
  await run(['expunge', 'virtualmachine', `id=${web}`], { exit: 1 });
  await run(['list', 'virtualmachines', 'filter=name,state']);
  return `${preface}${lines.join('\n')}\n\`\`\`\n`;
}

const preface = `# A tour as a tenant

What a user without any privilege does with the command line, and what it prints: \`npm test -- npm-start\` types every line at a real
cloud and compares (\`MILLRACE_TOUR=docs/tour.md\` keeps what it saw). An operator has made the account \`ada\` in the domain \`acme\`, of two
instances at most, where users do not expunge. IDs are replaced by words.

\`\`\`
`;

/** The same text without what differs from run to run: amounts, times, addresses, and how wide a column is. */
export function essenceOf(tour: string): string[] {
  return tour
    .replaceAll(/\d+/g, '#')
    .split('\n')
    .map((line) => line.replaceAll(/[\s─-]+/g, ' ').trim());
}
