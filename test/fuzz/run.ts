import { createHash } from 'node:crypto';
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { corpusOf, targetNames } from './target.ts';
import { type Finding, watchTarget } from './watch-target.ts';

/**
 * npm run fuzz -- [TARGET…] [--minutes N] [--seed N] [--keep]
 *
 * Runs each target for N minutes (1), one after the other. What is found is written to test/fuzz/corpus/TARGET, where
 * `npm test` runs it from then on; `--keep` also keeps the first input of every new answer, if it is small. Exit code 1
 * when anything was found.
 */

const largestKeptBytes = 2048;

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    minutes: { type: 'string', default: '1' },
    seed: { type: 'string', default: '1' },
    keep: { type: 'boolean', default: false },
  },
});
const minutes = Number(values.minutes);
const firstSeed = Number(values.seed);
const known = await targetNames();
const unknown = positionals.filter((name) => !known.includes(name));
if (unknown.length > 0 || !(minutes > 0) || !Number.isInteger(firstSeed)) {
  process.stderr.write(
    `usage: npm run fuzz -- [TARGET…] [--minutes N] [--seed N] [--keep]\ntargets: ${known.join(' ')}\n`,
  );
  process.exit(2);
}

let found = 0;
for (const target of positionals.length > 0 ? positionals : known) found += await fuzz(target);
process.exitCode = found > 0 ? 1 : 0;

/** @returns the number of findings */
async function fuzz(target: string): Promise<number> {
  const began = Date.now();
  const untilMs = began + minutes * 60_000;
  let before = 0;
  let findings = 0;
  let answers = 0;
  const show = (executions: number, end: string) => {
    const seconds = Math.max(1, (Date.now() - began) / 1000);
    const rate = Math.round(executions / seconds);
    process.stdout.write(
      `${process.stdout.isTTY ? '\r' : ''}${target}: ${executions} executions in ${Math.round(seconds)} s (${rate}/s), ${answers} answers, ${findings} findings${end}`,
    );
  };
  // a hang ends the thread: the next one goes on with another seed
  for (let seed = firstSeed; Date.now() < untilMs; seed++) {
    const result = await watchTarget({
      target,
      seed,
      untilMs,
      onProgress: (executions) => {
        if (process.stdout.isTTY) show(before + executions, '');
      },
      onNewAnswer: (bytes, answer) => {
        answers++;
        if (values.keep && bytes.length <= largestKeptBytes) void keep(target, 'kept', bytes, answer);
      },
    });
    before += result.executions;
    findings += result.findings.length;
    for (const finding of result.findings) await tell(target, finding);
  }
  show(before, '\n');
  return findings;
}

async function tell(target: string, finding: Finding): Promise<void> {
  const path = await keep(target, finding.kind, finding.bytes, '');
  process.stdout.write(
    `\n${target}: ${finding.kind}, ${finding.bytes.length} bytes in ${path}\n${finding.detail}\n`,
  );
}

async function keep(target: string, kind: string, bytes: Buffer, answer: string): Promise<string> {
  // by the answer, where there is one: a later run replaces the input instead of adding another
  const name = createHash('sha256')
    .update(answer === '' ? bytes : answer)
    .digest('hex')
    .slice(0, 12);
  const path = join(corpusOf(target), `${kind}-${name}.bin`);
  await mkdir(corpusOf(target), { recursive: true });
  await writeFile(path, bytes);
  return path;
}
