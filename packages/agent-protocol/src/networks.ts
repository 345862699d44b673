import { z } from 'zod';

const uuid = z.uuid();
/** Of a bridge or network card (Linux: IFNAMSIZ less the end). */
const interfaceName = z.string().regex(/^[A-Za-z0-9][A-Za-z0-9._-]{0,14}$/);
const networkName = z.string().regex(/^[A-Za-z0-9-]{1,40}$/);

/** A network of the host's own, behind NAT, with DHCP. */
const natNetwork = z.object({
  uuid,
  kind: z.literal('nat').optional(),
  /** libvirt network name and bridge name (at most 15 characters). */
  name: networkName,
  bridge: z.string().regex(/^[A-Za-z0-9-]{1,15}$/),
  gateway: z.ipv4(),
  netmask: z.ipv4(),
  rangeStart: z.ipv4(),
  rangeEnd: z.ipv4(),
});

/** A bridge of the host to a network around it; with a VLAN, one that the host makes for it. */
export const bridgedNetwork = z.object({
  uuid,
  kind: z.literal('bridge'),
  name: networkName,
  /** Where guests are plugged in. Without a VLAN it is the uplink itself. */
  bridge: interfaceName,
  /** The traffic label of the physical network: a bridge or card that the host has. */
  uplink: interfaceName,
  vlan: z.number().int().min(1).max(4094).optional(),
});

export const networkDefinition = z.union([bridgedNetwork, natNetwork]);

export type NetworkDefinition = z.infer<typeof networkDefinition>;
export type BridgedNetwork = z.infer<typeof bridgedNetwork>;
