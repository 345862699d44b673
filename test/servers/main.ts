import { parseArgs } from 'node:util';
import { startBadWebServer } from './bad-web-server.ts';

/** `node test/servers/main.ts --directory DIR [--port N] [--host A]`: prints `{"port":N}` and serves until it is killed. */
const { values } = parseArgs({
  options: {
    directory: { type: 'string' },
    port: { type: 'string', default: '0' },
    host: { type: 'string', default: '127.0.0.1' },
  },
});
if (values.directory === undefined) {
  console.error('usage: main.ts --directory DIR [--port N] [--host ADDRESS]');
  process.exitCode = 2;
} else {
  const server = await startBadWebServer({
    directory: values.directory,
    port: Number(values.port),
    host: values.host,
  });
  console.log(JSON.stringify({ port: server.port }));
}
