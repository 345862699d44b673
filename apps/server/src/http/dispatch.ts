import {
  ApiError,
  type ApiErrorCode,
  type CommandSpec,
  decodeParams,
  specs,
  unknownCommand,
  wireValue,
} from '@millrace/api';
import { describeError, type Logger } from '@millrace/core';
import type { Caller, Command, CommandDependencies } from '../commands/command.ts';
import { commandTable } from '../commands/command-table.ts';
import { mayCall } from '../domain/role-rules.ts';
import { withinCall } from '../store/call-origin.ts';
import { isPassing } from '../store/connection-loss.ts';
import { recordEvent } from '../store/events.ts';
import { authenticate } from './authenticate.ts';
import { answerEnvelope, emptyList, errorEnvelope } from './envelope.ts';
import { login } from './login.ts';
import { type LoginThrottle, makeLoginThrottle } from './login-throttle.ts';
import { makePasswordCheck, throttleKeyOf } from './password-check.ts';
import type { ApiReply, ApiRequest, ReplyCookie } from './request.ts';
import { closeSession, sessionCookie, sessionKeyCookie } from './sessions.ts';

export interface DispatchDependencies extends CommandDependencies {
  readonly clock: () => Date;
  /** Who calls; by signature or session when absent. @throws ApiError 401 */
  readonly authenticate?: (request: ApiRequest) => Promise<Caller>;
}

interface DispatchState extends DispatchDependencies {
  readonly throttle: LoginThrottle;
  readonly inTurn: <T>(work: () => Promise<T>) => Promise<T>;
  readonly commands: ReadonlyMap<string, Command>;
}

/** Makes the function that answers every call: it never rejects. */
export function makeDispatcher(deps: DispatchDependencies): (request: ApiRequest) => Promise<ApiReply> {
  const state: DispatchState = {
    ...deps,
    throttle: makeLoginThrottle(() => performance.now()),
    inTurn: makeQueue(),
    commands: new Map(commandTable.map((command) => [command.spec.name.toLowerCase(), command])),
  };
  return async (request) => {
    const name = wireValue(request.params, 'command');
    const log = deps.log.child({ correlation: request.correlation, command: name?.slice(0, 64) });
    const started = performance.now();
    try {
      const reply = await answer(state, request, name, log);
      // clients poll: what only reads is of interest to whoever debugs
      const level = /^(list|query|get)/i.test(name ?? '') ? 'debug' : 'info';
      log[level]({ ms: Math.round(performance.now() - started) }, 'call answered');
      return reply;
    } catch (error) {
      const refusal = asApiError(error, request.correlation, log);
      log.info({ errorcode: refusal.errorcode, ms: Math.round(performance.now() - started) }, 'call refused');
      const known = name !== undefined && specOf(state, name) !== undefined;
      return {
        status: refusal.errorcode,
        body: errorEnvelope(known ? name : undefined, refusal),
        cookies: [],
      };
    }
  };
}

async function answer(
  state: DispatchState,
  request: ApiRequest,
  name: string | undefined,
  log: Logger,
): Promise<ApiReply> {
  if (name?.toLowerCase() === 'login') return answerLogin(state, request);
  const caller = await (state.authenticate?.(request) ??
    authenticate(state.database, request, state.clock()));
  if (name === undefined) {
    throw new ApiError('PARAM_ERROR', 'the parameter command is missing; it names the command to run');
  }
  const spec = specOf(state, name);
  if (!spec || !mayCall(caller, spec)) throw unknownCommand(name.slice(0, 100));
  const origin = { userId: caller.userId, clientAddress: request.clientAddress };
  if (spec === specs.logout) return withinCall(origin, () => answerLogout(state, request, caller));
  const command = state.commands.get(name.toLowerCase());
  // every specification has its command: a test sees to it
  if (!command) throw unknownCommand(name);
  return withinCall(origin, () => answerCommand(state, request, command, caller, log));
}

async function answerCommand(
  state: DispatchState,
  request: ApiRequest,
  command: Command,
  caller: Caller,
  log: Logger,
): Promise<ApiReply> {
  const { spec } = command;
  const decoded = decodeParams(spec.name, spec.params, request.params, caller.role === 'admin');
  if (decoded.matchesNothing) return { status: 200, body: emptyList(spec), cookies: [] };
  const result = await run(command, {
    database: state.database,
    agents: state.agents,
    jobs: state.jobs,
    config: state.config,
    log: log.child({ user: caller.userUuid }),
    params: decoded.params,
    caller,
    checkPassword: makePasswordCheck(state, {
      address: request.clientAddress,
      key: throttleKeyOf({ path: caller.domainPath }, caller.username),
      what: 'wrong passwords',
    }),
    origin: request.origin,
    signal: request.signal,
  });
  return { status: 200, body: answerEnvelope(spec, result), cookies: [] };
}

/** Runs a command; what only root admins may read of its error is kept from everybody else. */
async function run(command: Command, context: Parameters<Command['run']>[0]): ReturnType<Command['run']> {
  try {
    return await command.run(context);
  } catch (error) {
    if (!(error instanceof ApiError) || context.caller.role === 'admin') throw error;
    throw new ApiError(error.code as ApiErrorCode, error.userText, { cause: error });
  }
}

async function answerLogin(state: DispatchState, request: ApiRequest): Promise<ApiReply> {
  const { fields, session } = await login(request, state);
  return {
    status: 200,
    body: { loginresponse: fields },
    cookies: [
      { name: sessionCookie, value: session.id },
      { name: sessionKeyCookie, value: session.key },
    ],
  };
}

async function answerLogout(state: DispatchState, request: ApiRequest, caller: Caller): Promise<ApiReply> {
  const id = request.cookies[sessionCookie];
  if (id) {
    await closeSession(state.database, id);
    await recordEvent(state.database, {
      type: 'USER.LOGOUT',
      description: `user ${caller.username} has logged out`,
      userId: caller.userId,
      accountId: caller.accountId,
    });
  }
  const removed: ReplyCookie[] = [sessionCookie, sessionKeyCookie].map((name) => ({ name, value: '' }));
  return { status: 200, body: { logoutresponse: { description: 'success' } }, cookies: removed };
}

function specOf(state: DispatchState, name: string): CommandSpec | undefined {
  const lower = name.toLowerCase();
  const session = [specs.login, specs.logout].find((spec) => spec.name === lower);
  return (session as CommandSpec | undefined) ?? state.commands.get(lower)?.spec;
}

/** What the caller is told: an ApiError as it is; of anything else only where to look, for it may hold secrets. */
function asApiError(error: unknown, correlation: string, log: Logger): ApiError {
  if (error instanceof ApiError) return error;
  if (isPassing(error)) {
    log.warn({ error: describeError(error) }, 'a call failed because the database is away');
    return new ApiError(
      'RESOURCE_UNAVAILABLE_ERROR',
      'The database is away for a moment, so this was not done, or not seen to be done: look, and try again',
      { cause: error },
    );
  }
  log.error(
    { error: describeError(error), stack: error instanceof Error ? error.stack : undefined },
    'a call failed unexpectedly',
  );
  return new ApiError(
    'INTERNAL_ERROR',
    `The server failed to do this. The reason is in its log under correlation ${correlation}: pass that on to its operator`,
    { cause: error },
  );
}

/** One piece of work after another. */
function makeQueue(): <T>(work: () => Promise<T>) => Promise<T> {
  let last: Promise<unknown> = Promise.resolve();
  return (work) => {
    const result = last.then(work, work);
    last = result.catch(() => {});
    return result;
  };
}
