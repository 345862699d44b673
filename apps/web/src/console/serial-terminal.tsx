import { FitAddon } from '@xterm/addon-fit';
import { Terminal } from '@xterm/xterm';
import '@xterm/xterm/css/xterm.css';
import { text } from '../text/en.ts';
import { ConsoleFrame } from './console-frame.tsx';
import { useConsole } from './use-console.ts';

const t = text.console;
const scrollback = 5000;

/** The guest's serial line: what it says, and what is typed. */
export function SerialTerminal({ open }: { readonly open: () => Promise<WebSocket> }) {
  const view = useConsole(open, (element, socket) => {
    const terminal = new Terminal({ scrollback, cursorBlink: false, screenReaderMode: true, fontSize: 13 });
    const fit = new FitAddon();
    terminal.loadAddon(fit);
    terminal.open(element);
    fit.fit();
    const resized = new ResizeObserver(() => fit.fit());
    resized.observe(element);
    const typed = terminal.onData((data) => {
      if (socket.readyState === WebSocket.OPEN) socket.send(new TextEncoder().encode(data));
    });
    socket.addEventListener('message', ({ data }) => {
      terminal.write(data instanceof ArrayBuffer ? new Uint8Array(data) : String(data));
    });
    socket.addEventListener('open', () => terminal.focus());
    return () => {
      resized.disconnect();
      typed.dispose();
      socket.close();
      terminal.dispose();
    };
  });
  return <ConsoleFrame {...view} label={t.serial} note={t.serialNote} />;
}
