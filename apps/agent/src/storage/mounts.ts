import { readFile } from 'node:fs/promises';

export interface Mount {
  readonly type: string;
  /** What is mounted: a device, or `server:/path`. */
  readonly source: string;
}

/** What is mounted on this very directory, the topmost; undefined when nothing is. */
export async function mountOf(directory: string): Promise<Mount | undefined> {
  return findMount(await readFile('/proc/self/mountinfo', 'utf8'), directory);
}

/** Finds it in the kernel's table (proc_pid_mountinfo(5)): later lines lie above earlier ones. */
export function findMount(mountinfo: string, directory: string): Mount | undefined {
  let found: Mount | undefined;
  for (const line of mountinfo.split('\n')) {
    const [before, after] = line.split(' - ');
    const mountPoint = unescapeOctal(before?.split(' ')[4] ?? '');
    const [type, source] = (after ?? '').split(' ');
    if (mountPoint === directory && type && source) found = { type, source: unescapeOctal(source) };
  }
  return found;
}

/** Spaces, tabs, newlines and backslashes are written as three octal digits. */
function unescapeOctal(text: string): string {
  return text.replaceAll(/\\([0-7]{3})/g, (_, digits: string) =>
    String.fromCharCode(Number.parseInt(digits, 8)),
  );
}
