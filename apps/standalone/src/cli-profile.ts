import { isJsonObject, type JsonObject, textMember } from '@millrace/api-client';
import { describeError, runProgram } from '@millrace/core';
import type { Identity } from './programs.ts';

/** What the command line needs to talk to this instance as admin. Secret. */
export interface ProfileSettings {
  readonly url: string;
  readonly apikey: string;
  readonly secretkey: string;
}

/** The person who ran `npm start`, also through sudo. */
export interface Invoker extends Identity {
  readonly home: string;
}

export const profileName = 'local';

/** The text of a profile file that has only this instance's profile. */
export function profileFile(settings: ProfileSettings): string {
  return `${JSON.stringify({ current: profileName, profiles: { [profileName]: settings } }, undefined, 2)}\n`;
}

/**
 * Adds this instance's profile to what a file holds; everything else in it stays.
 * @param text of the file, `undefined` when there is none
 * @returns the new text; `unchanged` when it is there already; `taken` when `local` is the profile of something else
 */
export function addProfile(
  text: string | undefined,
  settings: ProfileSettings,
): { readonly text: string } | 'unchanged' | 'taken' {
  if (text === undefined || text.trim() === '') return { text: profileFile(settings) };
  const content = parse(text);
  if (content === undefined) return 'taken';
  const profiles = isJsonObject(content['profiles']) ? content['profiles'] : {};
  const existing = profiles[profileName];
  if (isJsonObject(existing)) {
    const same = Object.entries(settings).every(([key, value]) => textMember(existing, key) === value);
    if (same) return 'unchanged';
    // the same keys under another port are this instance, moved; other keys for its address are of one that is gone
    const own =
      textMember(existing, 'apikey') === settings.apikey || textMember(existing, 'url') === settings.url;
    if (!own) return 'taken';
  }
  const merged: JsonObject = isJsonObject(existing) ? { ...existing, ...settings } : { ...settings };
  const current = textMember(content, 'current');
  const usable = current !== undefined && isJsonObject(profiles[current]);
  return write({
    ...content,
    current: usable ? current : profileName,
    profiles: { ...profiles, [profileName]: merged },
  });
}

/**
 * Takes this instance's profile out again.
 * @returns the new text, or `undefined` when the file has no profile of this instance
 */
export function removeProfile(text: string, apikey: string): { readonly text: string } | undefined {
  const content = parse(text);
  const profiles = content?.['profiles'];
  if (content === undefined || !isJsonObject(profiles)) return undefined;
  const existing = profiles[profileName];
  if (!isJsonObject(existing) || textMember(existing, 'apikey') !== apikey) return undefined;
  const { [profileName]: _, ...others } = profiles;
  const [next] = Object.keys(others);
  const { current, ...rest } = content;
  const kept = current === profileName ? next : textMember(content, 'current');
  return write({ ...rest, ...(kept === undefined ? {} : { current: kept }), profiles: others });
}

/**
 * Puts the profile into the invoker's own configuration. Every file is touched as that user, not as root: directories
 * below a home may be links to anywhere.
 * @returns where it is, or why it is not there, for the person at the terminal
 */
export async function offerProfile(
  invoker: Invoker,
  settings: ProfileSettings,
  signal: AbortSignal,
): Promise<{ readonly added: boolean; readonly path: string; readonly reason?: string }> {
  const path = userConfigPath(invoker);
  try {
    const result = addProfile(await readAs(invoker, path, signal), settings);
    if (result === 'taken') {
      return { added: false, path, reason: `${path} has another profile named ${profileName}` };
    }
    if (result !== 'unchanged') await replaceAs(invoker, path, result.text, signal);
    return { added: true, path };
  } catch (error) {
    signal.throwIfAborted();
    return { added: false, path, reason: describeError(error) };
  }
}

/** Undoes `offerProfile`. @returns true when there was something to undo */
export async function withdrawProfile(
  invoker: Invoker,
  apikey: string,
  signal: AbortSignal,
): Promise<boolean> {
  const path = userConfigPath(invoker);
  const text = await readAs(invoker, path, signal);
  const result = text === undefined ? undefined : removeProfile(text, apikey);
  if (result === undefined) return false;
  await replaceAs(invoker, path, result.text, signal);
  return true;
}

function userConfigPath(invoker: Invoker): string {
  return `${invoker.home}/.config/millrace/config.json`;
}

async function readAs(user: Invoker, path: string, signal: AbortSignal): Promise<string | undefined> {
  const as = { signal, uid: user.uid, gid: user.gid, cwd: '/' };
  try {
    await runProgram('test', ['-e', path], as);
  } catch {
    signal.throwIfAborted();
    return undefined;
  }
  return (await runProgram('cat', ['--', path], as)).stdout;
}

async function replaceAs(user: Invoker, path: string, text: string, signal: AbortSignal): Promise<void> {
  const as = { signal, uid: user.uid, gid: user.gid, cwd: '/' };
  const directory = path.slice(0, path.lastIndexOf('/'));
  await runProgram('mkdir', ['-p', '-m', '0700', '--', directory], as);
  // mktemp makes a file that its owner alone can read, before the secret goes into it
  const made = await runProgram('mktemp', ['--', `${directory}/.config.XXXXXX`], as);
  const partial = made.stdout.trim();
  await runProgram('tee', ['--', partial], { ...as, input: text });
  await runProgram('mv', ['-f', '-T', '--', partial, path], as);
}

function parse(text: string): JsonObject | undefined {
  try {
    const content: unknown = JSON.parse(text);
    return isJsonObject(content) ? content : undefined;
  } catch {
    return undefined;
  }
}

function write(content: JsonObject): { readonly text: string } {
  return { text: `${JSON.stringify(content, undefined, 2)}\n` };
}
