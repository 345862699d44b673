import type { CommandSpec } from '../command.ts';
import * as administration from './administration.ts';
import * as certificates from './certificates.ts';
import * as deploy from './deploy-virtual-machine.ts';
import * as forwarding from './forwarding.ts';
import * as guestAccess from './guest-access.ts';
import * as identity from './identity.ts';
import * as imageStores from './image-stores.ts';
import * as imageUpdates from './image-updates.ts';
import * as infrastructure from './infrastructure.ts';
import * as isos from './isos.ts';
import * as jobs from './jobs.ts';
import * as networks from './networks.ts';
import * as offerings from './offerings.ts';
import * as oversight from './oversight.ts';
import * as places from './places.ts';
import * as resources from './resources.ts';
import * as session from './session.ts';
import * as tags from './tags.ts';
import * as templates from './templates.ts';
import * as virtualMachines from './virtual-machines.ts';
import * as volumes from './volumes.ts';

/** Every command, typed exactly, by its name: `specs.listZones`. */
export const specs = {
  ...session,
  ...jobs,
  ...templates,
  ...isos,
  ...imageUpdates,
  ...imageStores,
  ...tags,
  ...certificates,
  ...deploy,
  ...virtualMachines,
  ...volumes,
  ...guestAccess,
  ...infrastructure,
  ...resources,
  ...administration,
  ...identity,
  ...offerings,
  ...forwarding,
  ...oversight,
  ...places,
  ...networks,
} as const;

/** Every command as data, for whoever walks over all of them. */
export const allSpecs: readonly CommandSpec[] = Object.values<CommandSpec>(
  specs as unknown as Record<string, CommandSpec>,
);
