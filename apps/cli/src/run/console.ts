import { isJsonObject, objectsOf, textMember } from '@millrace/api-client';
import { UsageError } from '../failures.ts';
import type { GlobalOptions } from '../grammar/options.ts';
import { printable } from '../output/console.ts';
import { connect } from './connect.ts';
import type { CliContext } from './context.ts';

/** Ctrl-], as telnet and virsh have it. */
const leaveByte = 0x1d;
const connectWithinMs = 15_000;
/** Of input that is no terminal: so long the guest may be silent after its end. */
const silenceMs = 2000;

/** `millrace console NAME|ID`: the serial line of a running instance, both ways, until Ctrl-] or its end. */
export async function runConsole(
  context: CliContext,
  words: readonly string[],
  options: GlobalOptions,
): Promise<void> {
  const [wanted, ...more] = words;
  if (wanted === undefined || more.length > 0)
    throw new UsageError('console takes the name or the ID of one instance: millrace console NAME');
  const { signal } = context;
  const connection = await connect(context, options.profile, { signal });
  const client = await connection.client();
  const call = (command: string, params: Record<string, string>) => client.call(command, params, { signal });
  const id = await findInstance(call, wanted);
  const answer = await call('createConsoleEndpoint', { virtualmachineid: id, consoletype: 'serial' });
  const endpoint = answer['consoleendpoint'];
  const websocket = isJsonObject(endpoint) ? endpoint['websocket'] : undefined;
  if (!isJsonObject(websocket)) throw new Error('the server hands out no console');
  const url = new URL(`/${textMember(websocket, 'path')}`, connection.selected.profile.url);
  url.protocol = url.protocol === 'https:' ? 'wss:' : 'ws:';
  url.searchParams.set('token', textMember(websocket, 'token') ?? '');
  context.console.stderr.write(`Connecting with ${printable(wanted)}. Ctrl-] leaves.\n`);
  await converse(context, url);
}

type Call = (command: string, params: Record<string, string>) => Promise<Record<string, unknown>>;

async function findInstance(call: Call, wanted: string): Promise<string> {
  const filter = /^[0-9a-f-]{36}$/i.test(wanted) ? { id: wanted } : { name: wanted };
  const answer = await call('listVirtualMachines', { ...filter, listall: 'true' });
  const found = objectsOf(answer['virtualmachine']);
  const [first, ...others] = found;
  const id = first && textMember(first, 'id');
  if (id === undefined) throw new UsageError(`there is no instance ${printable(wanted)}`);
  if (others.length > 0)
    throw new UsageError(`${found.length} instances are called ${printable(wanted)}: name one by its ID`);
  return id;
}

/** @throws Error with the reason when the server or the guest ends it */
async function converse({ input, console, signal }: CliContext, url: URL): Promise<void> {
  if (!input) throw new UsageError('console needs a standard input');
  const socket = new WebSocket(url);
  socket.binaryType = 'arraybuffer';
  const ended = Promise.withResolvers<void>();
  let silence: NodeJS.Timeout | undefined;
  const leave = () => ended.resolve();
  const quiet = () => {
    clearTimeout(silence);
    if (input.readableEnded) silence = setTimeout(leave, silenceMs);
  };
  const decoder = new TextDecoder();
  socket.addEventListener('message', ({ data }) => {
    // as it is: a console is there to draw on the terminal
    console.stdout.write(data instanceof ArrayBuffer ? decoder.decode(data, { stream: true }) : String(data));
    quiet();
  });
  socket.addEventListener('close', ({ reason, code }) =>
    ended.reject(new Error(`the console was closed: ${printable(reason) || `code ${code}`}`)),
  );
  const late = setTimeout(() => ended.reject(new Error('the server does not answer')), connectWithinMs);
  const type = (bytes: Buffer) => {
    const end = input.isTTY ? bytes.indexOf(leaveByte) : -1;
    if (end !== 0) socket.send(new Uint8Array(end < 0 ? bytes : bytes.subarray(0, end)));
    if (end >= 0) leave();
  };
  socket.addEventListener('open', () => {
    clearTimeout(late);
    if (input.isTTY) input.setRawMode(true);
    input.on('data', type);
    input.once('end', quiet);
  });
  signal.addEventListener('abort', () => ended.reject(signal.reason), { once: true });
  try {
    await ended.promise;
  } finally {
    clearTimeout(late);
    clearTimeout(silence);
    input.off('data', type);
    input.pause();
    if (input.isTTY) input.setRawMode(false);
    socket.close();
    if (console.stdout.isTty) console.stdout.write('\n');
  }
}
