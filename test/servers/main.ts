import { parseArgs } from 'node:util';
import { startBadWebServer } from './bad-web-server.ts';

/**
 * `node test/servers/main.ts --directory DIR [--port N] [--host A] [--rate N] [--connection-rate N] [--max-active N]`:
 * prints `{"port":N}` and serves until it is killed. Rates are bytes per second, of all connections and of each.
 */
const { values } = parseArgs({
  options: {
    directory: { type: 'string' },
    port: { type: 'string', default: '0' },
    host: { type: 'string', default: '127.0.0.1' },
    rate: { type: 'string', default: 'Infinity' },
    'connection-rate': { type: 'string', default: 'Infinity' },
    'max-active': { type: 'string', default: 'Infinity' },
  },
});
if (values.directory === undefined) {
  console.error('usage: main.ts --directory DIR [--port N] [--host ADDRESS] [--rate BYTES_PER_SECOND] …');
  process.exitCode = 2;
} else {
  const server = await startBadWebServer({
    directory: values.directory,
    port: Number(values.port),
    host: values.host,
    bytesPerSecond: Number(values.rate),
    bytesPerSecondPerConnection: Number(values['connection-rate']),
    maxActive: Number(values['max-active']),
  });
  console.log(JSON.stringify({ port: server.port }));
}
