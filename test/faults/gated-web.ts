import type { IncomingMessage, ServerResponse } from 'node:http';

/** The source of images, which can hold back what lies beyond a part of each file, or be down. */
export interface GatedWeb {
  readonly answer: (request: IncomingMessage, response: ServerResponse) => boolean;
  /**
   * Nothing beyond this part of a file is sent from now on: 0 nothing at all, 1 all but the last byte. Files that clients of
   * the load want (`load-…`) are sent as ever.
   */
  hold(part: number): void;
  /** Resolves when something has been held back since `hold`. @returns who asked for it, and where */
  reached(): Promise<{ readonly from: string; readonly path: string }>;
  /** Sends what was held back, and holds no more. */
  release(): void;
  /** Every connection ends, and new requests get 503. */
  down(): void;
  /** So it is for paths that contain this text, and without an answer: the machine behind them is gone. */
  lose(text: string): void;
  /** Connections for paths that contain this text stay, and nothing comes: those that are open, and new ones. */
  silence(text: string): void;
  up(): void;
}

interface Held {
  readonly path: string;
  readonly send: () => void;
  readonly cut: () => void;
}

/** @param fileOf the bytes at a path */
export function makeGatedWeb(fileOf: (path: string) => Buffer): GatedWeb {
  const open = new Map<ServerResponse, string>();
  let held: Held[] = [];
  let part: number | undefined;
  let isDown = false;
  let lost: string | undefined;
  let silent: string | undefined;
  const isSilent = (path: string) => silent !== undefined && path.includes(silent);
  const sendHeld = () => {
    const released = held.filter(({ path }) => !isSilent(path));
    held = held.filter(({ path }) => isSilent(path));
    for (const { send: sendRest } of released) sendRest();
  };
  let waiting = Promise.withResolvers<{ from: string; path: string }>();

  const send = (request: IncomingMessage, response: ServerResponse) => {
    const path = request.url ?? '';
    const file = fileOf(path);
    const [, start, end] = /^bytes=(\d+)-(\d*)$/.exec(request.headers.range ?? '') ?? [];
    const begin = Number(start ?? 0);
    const last = Math.min(end ? Number(end) : file.length - 1, file.length - 1);
    const limit =
      part === undefined || path.includes('/load-') ? file.length : Math.floor((file.length - 1) * part);
    const head = () =>
      response.writeHead(start === undefined ? 200 : 206, {
        'accept-ranges': 'bytes',
        etag: '"one"',
        'content-length': last - begin + 1,
        ...(start === undefined ? {} : { 'content-range': `bytes ${begin}-${last}/${file.length}` }),
      });
    if (last < limit) {
      head().end(file.subarray(begin, last + 1));
      return;
    }
    // of a file of which nothing is sent there is no head either
    if (limit > 0) head().write(file.subarray(begin, Math.max(begin, limit)));
    const rest = () => {
      if (limit <= 0) head();
      response.end(file.subarray(Math.max(begin, limit), last + 1));
    };
    held.push({ path, send: rest, cut: () => response.destroy() });
    waiting.resolve({ from: (request.socket.remoteAddress ?? '').replace('::ffff:', ''), path });
  };

  return {
    answer(request, response) {
      response.on('error', () => {});
      const path = request.url ?? '';
      open.set(response, path);
      response.once('close', () => open.delete(response));
      if (isDown) response.writeHead(503).end();
      else if (path.includes('/dead/') || (lost !== undefined && path.includes(lost))) response.destroy();
      else if (isSilent(path)) return true;
      else send(request, response);
      return true;
    },
    hold(newPart) {
      part = newPart;
      waiting = Promise.withResolvers();
    },
    reached: () => waiting.promise,
    release() {
      part = undefined;
      sendHeld();
    },
    down() {
      isDown = true;
      for (const { cut } of held.splice(0)) cut();
      for (const response of open.keys()) response.destroy();
    },
    lose(text) {
      lost = text;
      held = held.filter(({ path }) => !path.includes(text));
      for (const [response, path] of open) if (path.includes(text)) response.destroy();
    },
    silence(text) {
      silent = text;
    },
    up() {
      isDown = false;
      lost = undefined;
      silent = undefined;
      part = undefined;
      sendHeld();
    },
  };
}
