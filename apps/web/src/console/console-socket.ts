import { call, isObject } from '../api/call.ts';

export type ConsoleType = 'screen' | 'serial';

/** Asks for a way to the console of an instance and takes it. @throws CallFailure */
export async function openConsole(id: string, type: ConsoleType): Promise<WebSocket> {
  const content = await call('createConsoleEndpoint', { virtualmachineid: id, consoletype: type });
  const endpoint = content['consoleendpoint'];
  const websocket = isObject(endpoint) ? endpoint['websocket'] : undefined;
  const token = isObject(websocket) ? websocket['token'] : undefined;
  return connectConsole(typeof token === 'string' ? token : '');
}

/** The same server as this page's: it may have another name behind a proxy than it knows of. */
export function connectConsole(token: string): WebSocket {
  const url = new URL(`/client/console?${new URLSearchParams({ token })}`, window.location.href);
  url.protocol = url.protocol === 'https:' ? 'wss:' : 'ws:';
  const socket = new WebSocket(url);
  socket.binaryType = 'arraybuffer';
  return socket;
}
