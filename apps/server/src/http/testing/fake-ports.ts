import { randomUUID } from 'node:crypto';
import type { Duplex } from 'node:stream';
import type { AgentMethods, ParamsOf, ProbeReport, ResultOf } from '@millrace/agent-protocol';
import type { ConsoleRequest, ConsoleStreams } from '../../agents/console-streams.ts';
import type { AgentCallOptions, AgentGateway } from '../../agents/gateway.ts';
import { AgentCallError } from '../../domain/failure-policy.ts';
import type { JobQueue, JobRequest } from '../../jobs/queue.ts';
import { insertJob } from '../../store/async-jobs.ts';

type Answers = {
  -readonly [M in keyof AgentMethods]?: (
    params: ParamsOf<AgentMethods, M>,
    hostId: number,
    options: AgentCallOptions<M>,
  ) => Promise<ResultOf<AgentMethods, M>> | ResultOf<AgentMethods, M>;
};

export interface RecordedCall {
  readonly hostId: number;
  readonly method: keyof AgentMethods;
  readonly params: unknown;
}

export interface FakeAgents extends AgentGateway {
  readonly calls: RecordedCall[];
  /** What hosts answer; a method that is not here fails as if the host were away. */
  answers: Answers;
}

/** Hosts in memory. */
export function makeFakeAgents(): FakeAgents {
  const agents: FakeAgents = {
    calls: [],
    answers: {},
    async call<M extends keyof AgentMethods>(
      hostId: number,
      method: M,
      params: ParamsOf<AgentMethods, M>,
      options: AgentCallOptions<M>,
    ): Promise<ResultOf<AgentMethods, M>> {
      agents.calls.push({ hostId, method, params });
      const answer: Answers[M] = agents.answers[method];
      if (!answer) throw new AgentCallError('AGENT_UNAVAILABLE', 'the host is away');
      return answer(params, hostId, options);
    },
    isConnected: () => true,
    disconnect: () => {},
    connectedHosts: () => [1],
  };
  return agents;
}

export interface FakeConsoles extends ConsoleStreams {
  readonly opened: { readonly hostId: number; readonly request: ConsoleRequest }[];
  /** What the next console is joined with; undefined: the host is away. */
  guest: Duplex | undefined;
}

/** Guests' consoles in memory. */
export function makeFakeConsoles(): FakeConsoles {
  const consoles: FakeConsoles = {
    opened: [],
    guest: undefined,
    async open(hostId, request) {
      consoles.opened.push({ hostId, request });
      if (!consoles.guest) throw new AgentCallError('AGENT_UNAVAILABLE', 'the host is away');
      return consoles.guest;
    },
    accept: () => false,
  };
  return consoles;
}

export interface FakeJobs extends JobQueue {
  readonly requests: (JobRequest & { readonly uuid: string })[];
}

/** Writes the job's row, as the real queue does, and remembers what was asked for. Nothing ever runs. */
export function makeFakeJobs(): FakeJobs {
  const requests: FakeJobs['requests'] = [];
  return {
    requests,
    async enqueue(executor, request) {
      const uuid = randomUUID();
      await insertJob(executor, { uuid, ...request });
      requests.push({ uuid, ...request });
      return uuid;
    },
  };
}

/** The report of a source that is as it should be. */
export function usableProbe(changes: Partial<ProbeReport> = {}): ProbeReport {
  return {
    usable: true,
    metalink: false,
    sources: [{ url: 'https://images.example/tiny.qcow2', usable: true, sizeBytes: 1000 }],
    format: 'qcow2',
    compression: 'none',
    virtualSizeBytes: 3 * 1024 ** 3,
    transferBytes: 1000,
    warnings: [],
    ...changes,
  };
}
