import { type RefObject, useEffect, useRef, useState } from 'react';
import { text } from '../text/en.ts';

export type ConsoleState =
  | { readonly now: 'connecting' | 'open' }
  | { readonly now: 'ended'; readonly reason: string };

/** Shows a console in an element: called with each new connection. @returns what ends the showing */
export type ShowConsole = (element: HTMLElement, socket: WebSocket) => () => void;

/**
 * Connects when the element is there, and again when asked to.
 * @param open another connection each time: permissions are good once
 */
export function useConsole(
  open: () => Promise<WebSocket>,
  show: ShowConsole,
): {
  readonly element: RefObject<HTMLDivElement | null>;
  readonly state: ConsoleState;
  readonly again: () => void;
} {
  const element = useRef<HTMLDivElement>(null);
  const [state, setState] = useState<ConsoleState>({ now: 'connecting' });
  const [tries, setTries] = useState(0);
  const opener = useRef(open);
  const shower = useRef(show);
  opener.current = open;
  shower.current = show;
  // biome-ignore lint/correctness/useExhaustiveDependencies: another try is another connection
  useEffect(() => {
    let left = false;
    let end = () => {};
    const ended = (reason: string) => {
      if (!left) setState({ now: 'ended', reason });
    };
    const connect = async () => {
      // pages under development are mounted twice: what is left at once shall use up no permission
      await Promise.resolve();
      if (left || !element.current) return;
      const socket = await opener.current();
      end = () => socket.close();
      if (left) return end();
      socket.addEventListener('open', () => !left && setState({ now: 'open' }));
      socket.addEventListener('close', (event) => ended(event.reason || text.console.lost));
      end = shower.current(element.current, socket);
    };
    setState({ now: 'connecting' });
    connect().catch((error: unknown) => ended(error instanceof Error ? error.message : String(error)));
    return () => {
      left = true;
      end();
    };
  }, [tries]);
  return { element, state, again: () => setTries((count) => count + 1) };
}
