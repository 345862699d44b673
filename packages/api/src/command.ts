import type { FieldSpecs } from './fields.ts';
import type { ParamSpecs } from './param.ts';

/** Who may call a command. Issue order: an account type is one of these. */
export type Role = 'admin' | 'domainadmin' | 'user';
export const everyone: readonly Role[] = ['admin', 'domainadmin', 'user'];
export const adminOnly: readonly Role[] = ['admin'];

/**
 * How the answer is wrapped inside `<command>response`:
 * `list` → `{count, <key>: […]}` (`{}` when empty), `object` → `{<key>: {…}}`, `flat` → the fields themselves,
 * `success` → `{success: true}`.
 */
export type ResultShape =
  | { readonly kind: 'list'; readonly key: string }
  | { readonly kind: 'object'; readonly key: string }
  | { readonly kind: 'flat' }
  | { readonly kind: 'success' };

/** A command as data: feeds routing, `listApis`, the CLI's completion and the API reference. */
export interface CommandSpec<P extends ParamSpecs = ParamSpecs, F extends FieldSpecs = FieldSpecs> {
  readonly name: string;
  readonly description: string;
  readonly isAsync: boolean;
  readonly params: P;
  /** Fields of the entity that is returned (by the job, when async). */
  readonly response: F;
  readonly result: ResultShape;
  readonly roles: readonly Role[];
  /** Callable without credentials (login). */
  readonly anonymous?: boolean;
  readonly since?: string;
}

/** Keeps the literal types of a specification. */
export function defineCommand<const P extends ParamSpecs, const F extends FieldSpecs>(
  spec: CommandSpec<P, F>,
): CommandSpec<P, F> {
  return spec;
}
