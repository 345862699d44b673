import { Typography } from 'antd';
import { lazy, Suspense, useEffect, useState } from 'react';
import { text } from '../text/en.ts';
import { connectConsole } from './console-socket.ts';

const Screen = lazy(async () => ({ default: (await import('./screen-console.tsx')).ScreenConsole }));
const Serial = lazy(async () => ({ default: (await import('./serial-terminal.tsx')).SerialTerminal }));

/** What `createConsoleEndpoint` hands out as `url`: a console alone, for whoever has its token, logged in or not. */
export function ConsolePage() {
  const [permission] = useState(() => {
    const given = new URLSearchParams(window.location.hash.slice(1));
    return {
      token: given.get('token') ?? '',
      serial: given.get('type') === 'serial',
      name: given.get('name') ?? '',
    };
  });
  useEffect(() => {
    // it is good once: nobody shall look for it in the history
    window.history.replaceState(null, '', window.location.pathname);
  }, []);
  const open = async () => connectConsole(permission.token);
  return (
    <main className="console-page">
      <Typography.Title level={1}>{`${permission.name} · ${text.instances.console}`}</Typography.Title>
      <Suspense fallback={text.console.connecting}>
        {permission.serial ? <Serial open={open} /> : <Screen open={open} />}
      </Suspense>
    </main>
  );
}
