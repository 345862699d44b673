import type { FuzzTarget } from '../target.ts';

export const target: FuzzTarget = {
  name: 'throws',
  seeds: () => [Buffer.from('a'), Buffer.from('xyz')],
  run(bytes) {
    if (bytes[0] === 0x78) throw new Error('a bug');
    return undefined;
  },
};
