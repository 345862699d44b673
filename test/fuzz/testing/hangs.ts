import type { FuzzTarget } from '../target.ts';

export const target: FuzzTarget = {
  name: 'hangs',
  seeds: () => [Buffer.from('a'), Buffer.from('xyz')],
  run(bytes) {
    while (bytes[0] === 0x78);
    return undefined;
  },
};
