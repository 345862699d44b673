import type { LaneOptions } from './lane.ts';
import type { Assignment } from './segments.ts';

/** Segments that are being checked, while the next ones are already arriving. */
export interface Deliveries {
  readonly failure: { readonly error: unknown } | undefined;
  begin(assignment: Assignment): void;
  settled(): Promise<void>;
}

export function makeDeliveries({ transfer, state }: LaneOptions): Deliveries {
  const underWay = new Set<Promise<void>>();
  let failure: { readonly error: unknown } | undefined;
  return {
    get failure() {
      return failure;
    },
    begin(assignment) {
      const delivery = transfer
        .deliver(assignment)
        .then(
          () => {
            state.delivered += 1;
          },
          (error: unknown) => {
            failure ??= { error };
            transfer.changed.tell();
          },
        )
        .finally(() => underWay.delete(delivery));
      underWay.add(delivery);
    },
    async settled() {
      await Promise.all(underWay);
    },
  };
}
