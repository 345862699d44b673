import RFB from '@novnc/novnc';
import { App, Button, Input } from 'antd';
import { useRef } from 'react';
import { text } from '../text/en.ts';
import { ConsoleFrame } from './console-frame.tsx';
import { useConsole } from './use-console.ts';

const t = text.console;

/** X11 keysyms of the keys that no character stands for (RFC 6143 §7.5.4). */
const keysyms: Readonly<Record<string, number>> = { '\n': 0xff0d, '\t': 0xff09, '\b': 0xff08 };

/** Latin-1 stands for itself, everything else is a code point with a mark (X11, keysym encoding). */
function keysymOf(character: string): number {
  const code = character.codePointAt(0) ?? 0;
  return keysyms[character] ?? (code < 0x100 ? code : 0x1000000 + code);
}

/** The guest's screen, keyboard and mouse. */
export function ScreenConsole({ open }: { readonly open: () => Promise<WebSocket> }) {
  const screen = useRef<RFB | undefined>(undefined);
  const { modal } = App.useApp();
  const view = useConsole(open, (element, socket) => {
    const rfb = new RFB(element, socket, { shared: true });
    rfb.scaleViewport = true;
    rfb.addEventListener('connect', () => rfb.focus());
    screen.current = rfb;
    return () => {
      screen.current = undefined;
      rfb.disconnect();
    };
  });
  const type = (pasted: string) => {
    for (const character of pasted.replaceAll('\r\n', '\n'))
      screen.current?.sendKey(keysymOf(character), null);
    screen.current?.focus();
  };
  const paste = () => {
    let pasted = '';
    modal.confirm({
      title: t.paste,
      icon: null,
      content: (
        <Input.TextArea
          autoFocus
          rows={5}
          aria-label={t.paste}
          placeholder={t.pasteNote}
          onChange={(event) => {
            pasted = event.target.value;
          }}
        />
      ),
      okText: t.type,
      cancelText: text.instances.cancel,
      onOk: () => type(pasted),
    });
  };
  return (
    <ConsoleFrame
      {...view}
      label={t.screen}
      note={t.screenNote}
      actions={
        <>
          <Button size="small" onClick={() => screen.current?.sendCtrlAltDel()}>
            {t.ctrlAltDel}
          </Button>
          <Button size="small" onClick={paste}>
            {t.paste}
          </Button>
        </>
      }
    />
  );
}
