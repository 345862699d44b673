import { access, constants } from 'node:fs/promises';
import { delimiter, isAbsolute, join } from 'node:path';

const defaultPath = '/usr/sbin:/usr/bin:/sbin:/bin';

/**
 * Where a program is, by the same search path that it would be started with. Asked before a program is started inside of
 * another one, whose exit code does not tell "not installed" from "failed".
 */
export async function findProgram(
  name: string,
  searchPath: string = process.env['PATH'] ?? defaultPath,
): Promise<string | undefined> {
  for (const directory of searchPath.split(delimiter)) {
    if (!isAbsolute(directory)) continue;
    const path = join(directory, name);
    const found = await access(path, constants.X_OK).then(
      () => true,
      () => false,
    );
    if (found) return path;
  }
  return undefined;
}
