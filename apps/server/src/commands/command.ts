import type { CommandSpec, EntityOf, FieldSpecs, ParamSpecs, ParamsOf, Role } from '@millrace/api';
import type { Logger } from '@millrace/core';
import type { AgentGateway } from '../agents/gateway.ts';
import type { ServerConfig } from '../config.ts';
import type { RoleRule } from '../domain/role-rules.ts';
import type { JobQueue } from '../jobs/queue.ts';
import type { Database } from '../store/database.ts';

/** Who calls, as authenticated by a signature or a session. */
export interface Caller {
  readonly userId: number;
  readonly userUuid: string;
  readonly username: string;
  readonly accountId: number;
  readonly accountUuid: string;
  readonly accountName: string;
  readonly domainId: number;
  readonly domainUuid: string;
  readonly domainPath: string;
  readonly role: Role;
  /** Of the account's role: they narrow what `role` may do. */
  readonly rules: readonly RoleRule[];
}

/** What commands may use. */
export interface CommandDependencies {
  readonly database: Database;
  readonly agents: AgentGateway;
  readonly jobs: JobQueue;
  readonly config: ServerConfig;
  readonly log: Logger;
}

/**
 * Looks at a password, unless too many wrong ones were tried from there before; `look` finds undefined for a wrong one.
 * @throws ApiError 429
 */
export type PasswordCheck = <T>(look: () => Promise<T | undefined>) => Promise<T | undefined>;

export interface CommandContext<P extends ParamSpecs> extends CommandDependencies {
  readonly params: ParamsOf<P>;
  readonly caller: Caller;
  readonly checkPassword: PasswordCheck;
  /** By which scheme, name and port the caller reached this server: `https://cloud.example.org`. */
  readonly origin: string;
  readonly signal: AbortSignal;
}

/** What a command answers; the dispatcher wraps it in the envelope that the command's result shape names. */
export type CommandAnswer<F extends FieldSpecs> =
  | { readonly list: readonly EntityOf<F>[]; readonly count: number }
  | { readonly object: EntityOf<F> }
  | { readonly success: true; readonly displaytext?: string }
  /** An asynchronous command: the job's id and, for commands that create, the entity's. */
  | { readonly jobId: string; readonly entityId?: string };

export interface Command<P extends ParamSpecs = ParamSpecs, F extends FieldSpecs = FieldSpecs> {
  readonly spec: CommandSpec<P, F>;
  readonly run: (context: CommandContext<P>) => Promise<CommandAnswer<F>>;
}

/** Joins a specification to its implementation, checking both against each other. */
export function implement<const P extends ParamSpecs, const F extends FieldSpecs>(
  spec: CommandSpec<P, F>,
  run: (context: CommandContext<P>) => Promise<CommandAnswer<F>>,
): Command {
  // The dispatcher decodes parameters by this very spec, so run receives exactly ParamsOf<P>.
  return { spec, run } as unknown as Command;
}
