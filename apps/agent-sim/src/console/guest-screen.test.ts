import assert from 'node:assert/strict';
import type { Duplex } from 'node:stream';
import { test } from 'node:test';
import { makeMachine } from '../host/machine.ts';
import { openGuestScreen } from './guest-screen.ts';
import { openGuestShell } from './guest-shell.ts';

const spec = {
  uuid: '3c8d5b0e-0f86-4d1b-8f6b-8d9a1c2e3f40',
  instanceName: 'i-2-3-VM',
  hostName: 'web-1',
  cpus: 1,
  memoryMiB: 32,
  pool: { uuid: '0b1d7a52-6f0e-4c4e-8d38-6a3c9b1f2e77', type: 'Filesystem', path: '/pool' },
  rootDisk: { path: 'root-3.qcow2', format: 'qcow2', serial: 'root-3' },
  nics: [],
} as const;
const machineOf = () => makeMachine({ ...spec, nics: [] });

/** Everything that came so far. */
function collecting(stream: Duplex): () => Buffer {
  const chunks: Buffer[] = [];
  stream.on('data', (chunk: Buffer) => void chunks.push(chunk));
  return () => Buffer.concat(chunks);
}
const turn = () => new Promise((resolve) => setImmediate(resolve));

test('a screen greets as RFB 3.8 does, paints once, and again when a key was pressed', async () => {
  const screen = openGuestScreen(machineOf());
  const received = collecting(screen);
  // a byte at a time: messages need not come whole
  for (const byte of Buffer.from('RFB 003.008\n')) screen.write(Buffer.of(byte));
  screen.write(Buffer.of(1));
  screen.write(Buffer.of(1));
  await turn();
  const greeting = received();
  assert.equal(greeting.subarray(0, 12).toString(), 'RFB 003.008\n');
  assert.deepEqual([...greeting.subarray(12, 18)], [1, 1, 0, 0, 0, 0]);
  assert.deepEqual([greeting.readUInt16BE(18), greeting.readUInt16BE(20)], [320, 200]);
  assert.equal(greeting.subarray(42).toString(), 'web-1 (simulated)');
  const update = (incremental: number) => Buffer.of(3, incremental, 0, 0, 0, 0, 1, 64, 0, 200);
  const picture = 16 + 320 * 200 * 4;
  screen.write(update(0));
  await turn();
  assert.equal(received().length, greeting.length + picture);
  screen.write(update(1));
  await turn();
  assert.equal(received().length, greeting.length + picture, 'nothing changed: nothing is sent');
  screen.write(Buffer.of(4, 1, 0, 0, 0, 0, 0, 97));
  await turn();
  assert.equal(received().length, greeting.length + 2 * picture);
  screen.destroy();
});

test('a serial line echoes, obeys, writes into the log of the console, and ends with the guest', async () => {
  const machine = machineOf();
  const line = openGuestShell(machine, () => machine.life.abort(new Error('off')));
  const received = collecting(line);
  line.write('echo hellp\x7fo\r');
  await turn();
  assert.match(received().toString(), /\r\nhello\r\nweb-1:~# $/);
  assert.match(machine.console.read(0, 1000).data.toString(), /\r\nhello\r\n/);
  const closed = new Promise((resolve) => line.once('close', resolve));
  line.write('poweroff\r');
  await closed;
});

test('a console keeps the end of what was printed, and offsets go on counting', () => {
  const { console } = machineOf();
  for (let number = 0; number < 3000; number++) console.print(`line ${number}\r\n`);
  const whole = console.read(0, 100_000);
  assert.ok(whole.data.length <= 16 * 1024);
  assert.match(whole.data.toString(), /line 2999\r\n$/);
  assert.deepEqual(console.read(whole.nextOffset, 100), {
    data: Buffer.alloc(0),
    nextOffset: whole.nextOffset,
  });
});
