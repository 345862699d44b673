/** The part of noVNC that we use (https://github.com/novnc/noVNC/blob/master/docs/API.md); the package has no types. */
declare module '@novnc/novnc' {
  // biome-ignore lint/style/noDefaultExport: it is the package's
  export default class RFB extends EventTarget {
    constructor(target: Element, channel: WebSocket | string, options?: { readonly shared?: boolean });
    scaleViewport: boolean;
    focusOnClick: boolean;
    focus(): void;
    sendCtrlAltDel(): void;
    sendKey(keysym: number, code: string | null, down?: boolean): void;
    disconnect(): void;
  }
}
