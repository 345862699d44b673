import { createServer } from 'node:net';
import { hasErrorCode, MillraceError, sleep } from '@millrace/core';

/** Processes of an earlier start that was killed give their ports back within moments. */
const patienceMs = 10_000;

/**
 * Waits until nothing listens on a port of the loopback.
 * @throws MillraceError `PORT_IN_USE` naming the option that chooses another one
 */
export async function requireFreePort(port: number, option: string, signal: AbortSignal): Promise<void> {
  const deadline = performance.now() + patienceMs;
  while (!(await isFree(port))) {
    if (performance.now() > deadline) {
      throw new MillraceError(
        'PORT_IN_USE',
        `Port ${port} on 127.0.0.1 is in use by another program. See which one with: ss -ltnp 'sport = :${port}'. ` +
          `Or choose another port: npm start -- ${option} N`,
      );
    }
    await sleep(100, signal);
  }
}

async function isFree(port: number): Promise<boolean> {
  const server = createServer();
  try {
    await new Promise<void>((resolve, reject) => {
      server.once('error', reject);
      server.listen(port, '127.0.0.1', resolve);
    });
    return true;
  } catch (error) {
    if (hasErrorCode(error, 'EADDRINUSE')) return false;
    throw error;
  } finally {
    await new Promise((resolve) => server.close(resolve));
  }
}
