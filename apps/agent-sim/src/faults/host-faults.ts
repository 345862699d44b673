import { z } from 'zod';

/** What a host does wrong while the file of faults says so. */
export const hostFaults = z.strictObject({
  /** No power: no connection, no guests. */
  down: z.boolean().optional(),
  /** The network is away for so long, once for each change of the number; the guests go on. */
  disconnectSeconds: z.number().positive().optional(),
  /** Transfers take so many times as long. */
  slowTransfers: z.number().min(1).optional(),
  /** Whatever arrives has another digest than it should, and another one than on every other host. */
  wrongBytes: z.boolean().optional(),
  /** Nothing more fits on its pools. */
  noSpace: z.boolean().optional(),
  /** Guests do not start. */
  startRefused: z.boolean().optional(),
  /** Every guest crashes: those that run at once, others soon after their start. */
  guestsCrash: z.boolean().optional(),
});
export type HostFaults = z.infer<typeof hostFaults>;

/** Faults by the name of the host; `*` is every host, and what is said of one goes before it. */
export const faultsFile = z.record(z.string(), hostFaults);
export type Faults = z.infer<typeof faultsFile>;

export function faultsOf(faults: Faults, hostName: string): HostFaults {
  return { ...faults['*'], ...faults[hostName] };
}
