import { z } from 'zod';

/** A variable becomes a file of the drive: a plain name, so that none can leave its directory. */
export const variableName = /^[A-Za-z0-9_][A-Za-z0-9_.-]{0,63}$/;

/** What is handed to a guest on a drive of its own. Secret: never logged. */
export const configDrive = z.object({
  hostName: z.string().regex(/^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$/i),
  zoneName: z.string(),
  serviceOffering: z.string(),
  /** Public keys, each one line of an `authorized_keys` file. */
  sshKeys: z.array(z.object({ name: z.string(), publicKey: z.string().regex(/^[^\r\n]+$/) })),
  userData: z.base64().optional(),
  /** A new password, for one start. */
  password: z.string().optional(),
  variables: z.record(z.string().regex(variableName), z.string()).optional(),
});
export type ConfigDrive = z.infer<typeof configDrive>;
