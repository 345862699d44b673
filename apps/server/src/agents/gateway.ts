import type { AgentMethods, ParamsOf, ProgressOf, ResultOf } from '@millrace/agent-protocol';

export interface AgentCallOptions<M extends keyof AgentMethods> {
  /**
   * Names the operation across lost connections, agent restarts and server restarts: the same id sent again joins the
   * running operation or receives its kept result. Derive it from the job and step, never at random, in durable work.
   */
  readonly operationId: string;
  readonly signal: AbortSignal;
  readonly onProgress?: (progress: ProgressOf<AgentMethods, M>) => void;
  /** How long a lost connection may take to come back before the call fails with AGENT_UNAVAILABLE. Default 60 s. */
  readonly reconnectWithinMs?: number;
}

/**
 * The server's port to its hosts. `call` rejects with an AgentCallError (see failure-policy) when the agent answered
 * with an error, and with code AGENT_UNAVAILABLE when the host cannot be reached in time. Aborting the signal cancels
 * the operation on the host.
 */
export interface AgentGateway {
  call<M extends keyof AgentMethods>(
    hostId: number,
    method: M,
    params: ParamsOf<AgentMethods, M>,
    options: AgentCallOptions<M>,
  ): Promise<ResultOf<AgentMethods, M>>;
  isConnected(hostId: number): boolean;
  /** Ends the host's connection to this server; an agent that may comes back. */
  disconnect(hostId: number, reason: string): void;
  connectedHosts(): number[];
}
