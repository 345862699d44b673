import { readdirSync, readFileSync, writeFileSync } from 'node:fs';

/**
 * What a process and everything it started cost, from /proc. All reads are synchronous: procfs answers from memory, and a
 * tree that is read in one go has not changed half-way.
 */

/** Resources used since the processes started. */
export interface Usage {
  /** User and system time of all threads. */
  readonly cpuSeconds: number;
  /** Handed to the block layer or dirtied in the page cache, less what was truncated before it was written. */
  readonly writtenBytes: number;
}

export interface PeakMemory {
  /** The most that one process ever had resident (`VmHWM`). */
  readonly largestBytes: number;
  /** The most that all had at the same time, sampled; pages they share count once for each. */
  readonly sumBytes: number;
}

/** `USER_HZ`: what /proc counts CPU time in, the same on every architecture that Linux has today. */
const ticksPerSecond = 100;
const sampleEveryMs = 50;

/** The process and its living descendants, parents first. */
export function treeOf(pid: number): number[] {
  const tree = [pid];
  for (let at = 0; at < tree.length; at++) tree.push(...childrenOf(tree[at]!));
  return tree;
}

function childrenOf(pid: number): number[] {
  // each thread has its own children
  const threads = orGone(() => readdirSync(`/proc/${pid}/task`)) ?? [];
  return threads.flatMap((thread) => {
    const text = orGone(() => readFileSync(`/proc/${pid}/task/${thread}/children`, 'utf8')) ?? '';
    return text.split(' ').filter(Boolean).map(Number);
  });
}

/** Of the process, its living descendants, and those that any of them has waited for. */
export function usageOf(pid: number): Usage {
  let ticks = 0;
  let writtenBytes = 0;
  for (const each of treeOf(pid)) {
    const stat = orGone(() => readFileSync(`/proc/${each}/stat`, 'utf8'));
    const io = orGone(() => readFileSync(`/proc/${each}/io`, 'utf8'));
    if (stat === undefined || io === undefined) continue;
    // utime, stime, cutime and cstime; the name before them is in brackets and may contain anything
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
    for (const field of fields.slice(11, 15)) ticks += Number(field);
    writtenBytes += numberAfter(io, 'write_bytes:') - numberAfter(io, 'cancelled_write_bytes:');
  }
  return { cpuSeconds: ticks / ticksPerSecond, writtenBytes };
}

/** Watches from now on; what the processes had at their peak before is forgotten. */
export function watchMemory(pid: number): { stop(): PeakMemory } {
  for (const each of treeOf(pid)) orGone(() => writeFileSync(`/proc/${each}/clear_refs`, '5'));
  let largestBytes = 0;
  let sumBytes = 0;
  const sample = () => {
    let sum = 0;
    for (const each of treeOf(pid)) {
      const status = orGone(() => readFileSync(`/proc/${each}/status`, 'utf8'));
      if (status === undefined) continue;
      largestBytes = Math.max(largestBytes, numberAfter(status, 'VmHWM:') * 1024);
      sum += numberAfter(status, 'VmRSS:') * 1024;
    }
    sumBytes = Math.max(sumBytes, sum);
  };
  const timer = setInterval(sample, sampleEveryMs);
  sample();
  return {
    stop() {
      clearInterval(timer);
      sample();
      return { largestBytes, sumBytes: Math.max(sumBytes, largestBytes) };
    },
  };
}

/** Ends the process and all its descendants at once, as a power cut would. */
export function killTree(pid: number): void {
  const send = (to: readonly number[], name: NodeJS.Signals) => {
    for (const each of to) orGone(() => process.kill(each, name));
  };
  // stopped first, until no new one turns up: none can start another one then, or notice that the others are gone
  let tree: number[] = [];
  for (let known = -1; known !== tree.length; ) {
    known = tree.length;
    tree = treeOf(pid);
    send(tree, 'SIGSTOP');
  }
  send(tree, 'SIGKILL');
}

function numberAfter(text: string, label: string): number {
  // a line start, so that write_bytes is not found in cancelled_write_bytes
  const at = text.startsWith(label) ? 0 : text.indexOf(`\n${label}`) + 1;
  if (at === 0 && !text.startsWith(label)) return 0;
  return Number.parseInt(text.slice(at + label.length), 10);
}

/** `undefined` when the process has ended meanwhile: nothing else can go wrong with these files for root. */
function orGone<T>(read: () => T): T | undefined {
  try {
    return read();
  } catch {
    return undefined;
  }
}
