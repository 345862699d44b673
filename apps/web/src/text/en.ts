import { accountsText } from './en/accounts.ts';
import { everywhereText } from './en/everywhere.ts';
import { imagesText } from './en/images.ts';
import { infrastructureText } from './en/infrastructure.ts';
import { instancesText } from './en/instances.ts';
import { placesText } from './en/places.ts';

/** Every sentence of the console, in one place, so that it can be translated. */
const phases: Readonly<Record<string, string>> = {
  'choosing-host': 'choosing a host',
  'waiting-for-host': 'waiting for a host',
  planning: 'looking at the sources',
  transferring: 'transferring',
  verifying: 'verifying',
  unpacking: 'unpacking',
  inspecting: 'inspecting',
  converting: 'converting',
  committing: 'committing',
  committed: 'committed',
  'creating-volume': 'making the disk',
  starting: 'starting',
};

const nextSteps: Readonly<Record<string, string>> = {
  'same-source': 'the same source again',
  'next-source': 'the next source',
  'next-checksum-attempt': 'another attempt, from the next source',
  'next-host': 'the next host',
  stop: 'no further try',
  done: 'done',
};

export const text = {
  product: 'Millrace',
  phase: (name: string) => phases[name] ?? name.replaceAll('-', ' '),
  next: (name: string | undefined) => (name === undefined ? '' : (nextSteps[name] ?? name)),
  timeZone: (zone: string) => `Times are those of ${zone}.`,
  ...everywhereText,
  ...instancesText,
  ...imagesText,
  ...accountsText,
  ...infrastructureText,
  ...placesText,
} as const;
