import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { sleep, spawnProgram } from '@millrace/core';
import { freePort } from './free-port.ts';

/** A web server on ports of loopback: one directory for each. */
export interface WebServer extends AsyncDisposable {
  /** In the order of the directories that were asked for. */
  readonly origins: readonly string[];
}

/**
 * Starts Debian's nginx with a configuration of its own: plain files, sendfile, no log.
 * @param directories what each port serves; one may be named several times, and then has several ports
 */
export async function startNginx(
  scratch: string,
  directories: readonly string[],
  signal: AbortSignal,
): Promise<WebServer> {
  const ports = await Promise.all(directories.map(freePort));
  const place = join(scratch, 'nginx');
  await mkdir(place, { recursive: true });
  await writeFile(join(place, 'nginx.conf'), configuration(place, directories, ports));
  const child = spawnProgram('nginx', ['-c', join(place, 'nginx.conf'), '-p', place], {
    // ended below: the workers end with their master only when that is asked to
    signal: new AbortController().signal,
    stdio: ['ignore', 'ignore', 'pipe'],
  });
  let stderr = '';
  child.stderr?.setEncoding('utf8').on('data', (text: string) => {
    stderr = (stderr + text).slice(-2000);
  });
  const ended = Promise.withResolvers<void>();
  child.once('error', () => ended.resolve());
  child.once('close', () => ended.resolve());
  const stop = async () => {
    child.kill('SIGTERM');
    await ended.promise;
  };
  const origins = ports.map((port) => `http://127.0.0.1:${port}`);
  try {
    for (let tries = 0; !(await answers(origins.at(-1)!)); tries++) {
      if (tries === 200 || child.exitCode !== null) throw new Error(`nginx does not answer. ${stderr}`);
      await sleep(25, signal);
    }
  } catch (error) {
    await stop();
    throw error;
  }
  return { origins, [Symbol.asyncDispose]: stop };
}

function configuration(place: string, directories: readonly string[], ports: readonly number[]): string {
  const servers = directories.map(
    (directory, index) => `  server { listen 127.0.0.1:${ports[index]}; root ${directory}; }`,
  );
  // root: the images may be anywhere, and only this machine's loopback is listened to
  return `daemon off;
user root;
worker_processes auto;
pid ${place}/pid;
error_log stderr;
events { worker_connections 1024; }
http {
  access_log off;
  sendfile on;
  tcp_nopush on;
  keepalive_requests 1000000;
  default_type application/octet-stream;
  client_body_temp_path ${place};
  proxy_temp_path ${place};
  fastcgi_temp_path ${place};
  uwsgi_temp_path ${place};
  scgi_temp_path ${place};
${servers.join('\n')}
}
`;
}

async function answers(origin: string): Promise<boolean> {
  return fetch(origin).then(
    () => true,
    () => false,
  );
}
