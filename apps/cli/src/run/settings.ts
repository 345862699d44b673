import {
  type ProfileKey,
  profileKeys,
  readProfiles,
  secretKeys,
  writeProfile,
} from '../catalogue/profile-file.ts';
import { UsageError } from '../failures.ts';
import { nearest } from '../grammar/nearest.ts';
import { type GlobalOptions, readFormat } from '../grammar/options.ts';
import { printable } from '../output/console.ts';
import { selectProfile } from './connect.ts';
import type { CliContext } from './context.ts';
import { forgetSessions } from './session-client.ts';
import { settingNames } from './setting-names.ts';

/** `set KEY VALUE`: changes the profile in use. `set profile NAME` changes which one that is, making it when missing. */
export async function runSet(
  context: CliContext,
  words: readonly string[],
  options: GlobalOptions,
): Promise<void> {
  const { signal, paths } = context;
  const { key, value } = readSetting(words);
  if (key === 'profile') {
    if (!/^[\w.-]+$/.test(value)) {
      throw new UsageError('A profile is named with letters, digits, dots, dashes and underscores.');
    }
    await writeProfile(paths.config, { name: value, settings: {}, makeCurrent: true }, signal);
    return;
  }
  const isSecret = secretKeys.includes(key);
  const text = isSecret && value === '-' ? await context.readSecret(signal) : value;
  checkSetting(key, text);
  const { name } = await selectProfile(context, options.profile, signal);
  await writeProfile(paths.config, { name, settings: { [key]: text } }, signal);
  if (key === 'username' || key === 'password' || key === 'domain') await forgetSessions(paths.state);
}

/** Accepts `set url http://…` and `set url=http://…`. */
function readSetting(words: readonly string[]): { key: ProfileKey | 'profile'; value: string } {
  const [first = '', ...rest] = words;
  const equals = first.indexOf('=');
  const name = (equals === -1 ? first : first.slice(0, equals)).toLowerCase();
  const values = equals === -1 ? rest : [first.slice(equals + 1), ...rest];
  const key = name === 'profile' ? name : profileKeys.find((candidate) => candidate === name);
  if (key === undefined) {
    const meant = nearest(name, settingNames);
    throw new UsageError(
      `${name === '' ? 'What to set?' : `There is no setting ${name}.${meant ? ` Did you mean ${meant}?` : ''}`}\n` +
        `millrace set ${settingNames.join('|')} VALUE`,
    );
  }
  const [value] = values;
  if (value === undefined || values.length > 1) {
    throw new UsageError(
      `set ${key} takes one value${secretKeys.includes(key) ? ', or - to be asked' : ''}.`,
    );
  }
  return { key, value };
}

function checkSetting(key: ProfileKey, value: string): void {
  if (value === '') return;
  if (key === 'output') readFormat(value);
  if (key === 'url' && !/^https?:$/.test(URL.parse(value)?.protocol ?? '')) {
    throw new UsageError(`${value} is no http or https URL. Example: http://127.0.0.1:8080/client/api`);
  }
}

/** `show config`: every profile, secrets masked. */
export async function runShow(
  context: CliContext,
  words: readonly string[],
  options: GlobalOptions,
): Promise<void> {
  const what = words[0]?.toLowerCase();
  if (what !== 'config' && what !== 'profiles') throw new UsageError('What to show? millrace show config');
  const { signal, paths, console } = context;
  const { profiles } = await readProfiles(paths.config, signal);
  const { name: inUse } = await selectProfile(context, options.profile, signal);
  const masked = Object.fromEntries(
    Object.entries(profiles).map(([name, profile]) => [
      name,
      Object.fromEntries(
        Object.entries(profile).map(([key, value]) => [key, secretKeys.includes(key) ? '********' : value]),
      ),
    ]),
  );
  if (options.output === 'json') {
    console.stdout.write(
      `${JSON.stringify({ file: paths.config, current: inUse, profiles: masked }, undefined, 2)}\n`,
    );
    return;
  }
  console.stdout.write(`${printable(paths.config)}\n`);
  if (Object.keys(masked).length === 0)
    console.stdout.write('There is no profile yet: millrace set url URL\n');
  for (const [name, settings] of Object.entries(masked)) {
    console.stdout.write(`\n${printable(name)}${name === inUse ? ' (in use)' : ''}\n`);
    for (const [key, value] of Object.entries(settings)) {
      console.stdout.write(`  ${key.padEnd(10)}  ${printable(value)}\n`);
    }
  }
}
