import type { FuzzTarget } from '../target.ts';

export const target: FuzzTarget = {
  name: 'grows',
  seeds: () => [Buffer.from('a'), Buffer.from('xyz')],
  run(bytes) {
    const held: number[][] = [];
    while (bytes[0] === 0x78) held.push(Array.from({ length: 10_000 }, (_, index) => index));
    return undefined;
  },
};
