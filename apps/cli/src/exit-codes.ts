/** What the program's exit status says. Stable: scripts branch on it. */
export const exitCodes = {
  ok: 0,
  /** The server refused the call, or the job failed. */
  failed: 1,
  /** The command line is wrong; nothing was sent. */
  usage: 2,
  /** The server did not answer. */
  connection: 3,
  /** The server does not accept the credentials, or there are none. */
  authentication: 4,
  /** `fetch` alone: the bytes were refused (checksum, format, inspection, limits). */
  refused: 5,
  /** `fetch` alone: the target cannot take the image (exists, no space, not writable). */
  target: 6,
  interrupted: 130,
} as const;

export type ExitCode = (typeof exitCodes)[keyof typeof exitCodes];
