import { Duplex } from 'node:stream';
import type { Machine } from '../host/machine.ts';

/**
 * The serial line of a simulated guest: it echoes what is typed and knows three commands, so that a terminal has something
 * to talk to. Everything it says also stands in the console's log, as with a real guest.
 */
export function openGuestShell(machine: Machine, onPowerOff: () => void): Duplex {
  const { console, spec } = machine;
  const prompt = `${spec.hostName}:~# `;
  let typed = '';
  const obey = (line: string) => {
    const [command = '', ...rest] = line.trim().split(/\s+/);
    if (command === 'echo') console.print(`${rest.join(' ')}\r\n`);
    else if (command === 'hostname') console.print(`${spec.hostName}\r\n`);
    else if (command === 'poweroff') onPowerOff();
    else if (command !== '') console.print(`sh: ${command}: not found (a simulated guest)\r\n`);
    console.print(prompt);
  };
  const press = (character: string) => {
    if (character === '\r' || character === '\n') {
      const line = typed;
      typed = '';
      console.print('\r\n');
      obey(line);
    } else if (character === '\x7f') {
      if (typed.length > 0) console.print('\b \b');
      typed = typed.slice(0, -1);
    } else if (character >= ' ' && typed.length < 500) {
      typed += character;
      console.print(character);
    }
  };
  const line = new Duplex({
    read: () => {},
    write(chunk: Buffer, _encoding, done) {
      for (const character of chunk.toString('utf8')) press(character);
      done();
    },
  });
  const unlisten = console.listen((text) => void line.push(text));
  const onOff = () => line.destroy();
  machine.life.signal.addEventListener('abort', onOff, { once: true });
  line.once('close', () => {
    unlisten();
    machine.life.signal.removeEventListener('abort', onOff);
  });
  return line;
}
