import { Duplex } from 'node:stream';
import type { Machine } from '../host/machine.ts';

const width = 320;
const height = 200;

/** Lengths of what a client sends, by its first byte (RFC 6143 §7.5); of two of them the length depends on what they say. */
function lengthOf(message: Buffer): number | undefined {
  switch (message[0]) {
    case 0:
      return 20;
    case 2:
      return message.length < 4 ? undefined : 4 + 4 * message.readUInt16BE(2);
    case 3:
      return 10;
    case 4:
      return 8;
    case 5:
      return 6;
    case 6:
      return message.length < 8 ? undefined : 8 + message.readUInt32BE(4);
    default:
      return 0;
  }
}

/**
 * The screen of a simulated guest: an RFB 3.8 server (RFC 6143) without a password that paints bars, one more bright for
 * each key that is pressed. Pixels are sent raw, in 32 bits, whatever the client would like better.
 */
export function openGuestScreen(machine: Machine): Duplex {
  let received: Buffer = Buffer.alloc(0);
  let step: (message: Buffer) => number = greet;
  let bright = 1;
  let painted = 0;
  let wanted = false;

  const screen = new Duplex({
    read: () => {},
    write(chunk: Buffer, _encoding, done) {
      received = Buffer.concat([received, chunk]);
      for (;;) {
        const used = received.length > 0 ? step(received) : 0;
        if (used === 0) break;
        received = received.subarray(used);
      }
      done();
    },
  });
  const onOff = () => screen.destroy();
  machine.life.signal.addEventListener('abort', onOff, { once: true });
  screen.once('close', () => machine.life.signal.removeEventListener('abort', onOff));
  screen.push('RFB 003.008\n');

  function greet(message: Buffer): number {
    if (message.length < 12) return 0;
    // one type of security: none
    screen.push(Buffer.of(1, 1));
    step = secure;
    return 12;
  }

  function secure(): number {
    screen.push(Buffer.alloc(4));
    step = initialize;
    return 1;
  }

  function initialize(): number {
    const name = Buffer.from(`${machine.spec.hostName} (simulated)`);
    const header = Buffer.alloc(24);
    header.writeUInt16BE(width, 0);
    header.writeUInt16BE(height, 2);
    // 32 bits per pixel, depth 24, little-endian, true colour, 255 of each, red, green and blue from the lowest byte on
    Buffer.of(32, 24, 0, 1, 0, 255, 0, 255, 0, 255, 0, 8, 16).copy(header, 4);
    header.writeUInt32BE(name.length, 20);
    screen.push(Buffer.concat([header, name]));
    step = serve;
    return 1;
  }

  function serve(message: Buffer): number {
    const length = lengthOf(message);
    if (length === 0) screen.destroy(new Error('the client sent what is no message of RFB'));
    if (!length || message.length < length) return 0;
    if (message[0] === 4 && message[1] === 1) bright = (bright % 16) + 1;
    if (message[0] === 3) {
      wanted = true;
      // not incremental: the client has nothing yet
      if (message[1] === 0) painted = 0;
    }
    paint();
    return length;
  }

  function paint(): void {
    if (!wanted || painted === bright) return;
    wanted = false;
    painted = bright;
    const header = Buffer.alloc(16);
    header.writeUInt16BE(1, 2);
    header.writeUInt16BE(width, 8);
    header.writeUInt16BE(height, 10);
    const pixels = Buffer.alloc(width * height * 4);
    for (let y = 0; y < height; y++) {
      for (let x = 0; x < width; x++) {
        const bar = Math.floor((x * 16) / width);
        pixels.writeUInt32LE(bar < bright ? 0x00d0b060 : 0x00302010, (y * width + x) * 4);
      }
    }
    screen.push(Buffer.concat([header, pixels]));
  }

  return screen;
}
