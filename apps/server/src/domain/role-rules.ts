import { allSpecs, type CommandSpec, type Role } from '@millrace/api';

/** One rule of a role: a command's name, or its beginning and `*`. */
export interface RoleRule {
  readonly rule: string;
  readonly permission: 'allow' | 'deny';
}

/** Whoever is let in may find out what there is, and leave. */
const always: ReadonlySet<string> = new Set(['listApis', 'logout']);

/** The first rule that fits decides, in the role's order; what none fits is denied. Case does not matter. */
export function allows(rules: readonly RoleRule[], command: string): boolean {
  if (always.has(command)) return true;
  const name = command.toLowerCase();
  return rules.find(({ rule }) => fits(rule.toLowerCase(), name))?.permission === 'allow';
}

function fits(rule: string, name: string): boolean {
  return rule.endsWith('*') ? name.startsWith(rule.slice(0, -1)) : rule === name;
}

/** A rule can only narrow what the type of the account may do. */
export function mayCall(
  caller: { readonly role: Role; readonly rules: readonly RoleRule[] },
  spec: CommandSpec,
): boolean {
  return spec.roles.includes(caller.role) && allows(caller.rules, spec.name);
}

/** A command that the second may call and the first may not; undefined when there is none. */
export function beyond(
  first: { readonly role: Role; readonly rules: readonly RoleRule[] },
  second: { readonly role: Role; readonly rules: readonly RoleRule[] },
): string | undefined {
  return allSpecs.find((spec) => mayCall(second, spec) && !mayCall(first, spec))?.name;
}

/** What CloudStack's numbers of account types stand for. */
export const rolesByAccountType: Readonly<Record<number, Role>> = { 0: 'user', 1: 'admin', 2: 'domainadmin' };

export const roleTypes: Readonly<Record<string, { readonly role: Role; readonly accountType: number }>> = {
  Admin: { role: 'admin', accountType: 1 },
  DomainAdmin: { role: 'domainadmin', accountType: 2 },
  User: { role: 'user', accountType: 0 },
};

/** A command that exists, or a beginning that some command has: a rule that fits nothing is a mistake. */
export function isRule(rule: string): boolean {
  return (
    /^[A-Za-z0-9]*\*?$/.test(rule) &&
    allSpecs.some(({ name }) => fits(rule.toLowerCase(), name.toLowerCase()))
  );
}
