import { isJsonObject, textMember } from '@millrace/api-client';
import { UsageError } from '../failures.ts';
import { readTextIfAny, writePrivateFile } from './private-file.ts';

/** What a profile can hold, in the order in which it is shown. */
export const profileKeys = [
  'url',
  'apikey',
  'secretkey',
  'username',
  'password',
  'domain',
  'output',
] as const;
export type ProfileKey = (typeof profileKeys)[number];
export type Profile = Readonly<Partial<Record<ProfileKey, string>>>;

/** Settings that are never shown. */
export const secretKeys: readonly string[] = ['secretkey', 'password'];

export interface ProfileFile {
  /** The profile in use when none is named. */
  readonly current: string;
  readonly profiles: Readonly<Record<string, Profile>>;
}

export const defaultProfileName = 'local';

/**
 * Reads the profiles; a file that is not there has none.
 * @throws UsageError when the file is no JSON object
 */
export async function readProfiles(path: string, signal: AbortSignal): Promise<ProfileFile> {
  const text = await readTextIfAny(path, signal);
  if (text === undefined) return { current: defaultProfileName, profiles: {} };
  let content: unknown;
  try {
    content = JSON.parse(text);
  } catch (error) {
    throw new UsageError(`${path} is no JSON (${String(error)}). Mend it, or remove it to start anew.`);
  }
  if (!isJsonObject(content)) throw new UsageError(`${path} must hold a JSON object.`);
  const profiles: Record<string, Profile> = {};
  const stored = isJsonObject(content['profiles']) ? content['profiles'] : {};
  for (const [name, value] of Object.entries(stored)) {
    if (!isJsonObject(value)) continue;
    const profile: Partial<Record<ProfileKey, string>> = {};
    for (const key of profileKeys) {
      const setting = textMember(value, key);
      if (setting !== undefined) profile[key] = setting;
    }
    profiles[name] = profile;
  }
  return { current: textMember(content, 'current') ?? defaultProfileName, profiles };
}

/**
 * Writes settings into a profile, keeping its other settings and the other profiles. The file is readable by its owner
 * alone. This is also how a server's first start leaves a profile behind for its operator.
 * @param change.settings an empty string removes the setting
 * @param change.makeCurrent use this profile from now on; the first profile always is
 */
export async function writeProfile(
  path: string,
  change: {
    readonly name: string;
    readonly settings: Profile;
    readonly makeCurrent?: boolean;
  },
  signal: AbortSignal,
): Promise<void> {
  const file = await readProfiles(path, signal);
  const merged: Record<string, string> = { ...file.profiles[change.name], ...change.settings };
  for (const [key, value] of Object.entries(merged)) if (value === '') delete merged[key];
  const becomesCurrent = change.makeCurrent === true || !(file.current in file.profiles);
  const content: ProfileFile = {
    current: becomesCurrent ? change.name : file.current,
    profiles: { ...file.profiles, [change.name]: merged },
  };
  await writePrivateFile(path, `${JSON.stringify(content, undefined, 2)}\n`, signal);
}
