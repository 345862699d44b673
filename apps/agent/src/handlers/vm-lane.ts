/** Lane key: everything that changes one VM happens one at a time. */
export function vmLane(uuid: string): string {
  return `vm ${uuid}`;
}
