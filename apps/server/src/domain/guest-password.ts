import { randomInt } from 'node:crypto';

/** Without letters and digits that look alike: people type it into a console. */
const kinds = ['ABCDEFGHJKLMNPQRSTUVWXYZ', 'abcdefghijkmnpqrstuvwxyz', '23456789'] as const;
const length = 14;

/** A password for a guest: about 80 bits, with a letter of each case and a digit, which Windows demands. */
export function makeGuestPassword(): string {
  const all = kinds.join('');
  for (;;) {
    const password = Array.from({ length }, () => all[randomInt(all.length)]!).join('');
    if (kinds.every((kind) => [...kind].some((character) => password.includes(character)))) return password;
  }
}
