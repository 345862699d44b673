import type { ApiError, CommandSpec } from '@millrace/api';
import type { CommandAnswer } from '../commands/command.ts';

type Envelope = Readonly<Record<string, object>>;

/**
 * Wraps an answer as clients unwrap it: exactly one top-level key, and the entity first inside it.
 * An empty list is an empty object, without count, as CloudStack has it.
 */
export function answerEnvelope(spec: CommandSpec, answer: CommandAnswer<CommandSpec['response']>): Envelope {
  return { [envelopeName(spec.name)]: inner(spec, answer) };
}

function inner(spec: CommandSpec, answer: CommandAnswer<CommandSpec['response']>): object {
  if ('jobId' in answer) {
    return { ...(answer.entityId === undefined ? {} : { id: answer.entityId }), jobid: answer.jobId };
  }
  if ('success' in answer) {
    return {
      success: true,
      ...(answer.displaytext === undefined ? {} : { displaytext: answer.displaytext }),
    };
  }
  const { result } = spec;
  if ('list' in answer) {
    if (result.kind !== 'list') throw new Error(`${spec.name} answered with a list`);
    return answer.count === 0 ? {} : { count: answer.count, [result.key]: answer.list };
  }
  return result.kind === 'object' ? { [result.key]: answer.object } : answer.object;
}

export function emptyList(spec: CommandSpec): Envelope {
  return { [envelopeName(spec.name)]: {} };
}

/** @param command undefined when there is no such command */
export function errorEnvelope(command: string | undefined, error: ApiError): Envelope {
  return {
    [command === undefined ? 'errorresponse' : envelopeName(command)]: {
      uuidList: [],
      errorcode: error.errorcode,
      cserrorcode: error.cserrorcode,
      errortext: error.message,
    },
  };
}

function envelopeName(command: string): string {
  return `${command.toLowerCase()}response`;
}
