import assert from 'node:assert/strict';
import { test } from 'node:test';
import { watchTarget } from './watch-target.ts';

test('a target runs in a thread of its own until its time is over, and says how often', async () => {
  const answers: string[] = [];
  const { findings, executions } = await watchTarget({
    target: 'tar',
    seed: 1,
    untilMs: Date.now() + 600,
    onProgress: () => {},
    onNewAnswer: (_, answer) => answers.push(answer),
  });
  assert.deepEqual(findings, []);
  assert.ok(executions > 100, `${executions}`);
  assert.ok(answers.includes('accepted true'));
});

for (const [target, kind, mostMs] of [
  ['testing/throws', 'failure', 500],
  ['testing/hangs', 'hang', 20_000],
  ['testing/grows', 'memory', 20_000],
] as const) {
  test(`what ${target} does is found, with the input that made it`, async () => {
    const { findings } = await watchTarget({
      target: `../${target}`,
      seed: 1,
      untilMs: Date.now() + mostMs,
      hangMs: 300,
      heapMegabytes: 32,
      onProgress: () => {},
      onNewAnswer: () => {},
    });
    assert.deepEqual(
      findings.map((finding) => finding.kind),
      [kind],
    );
    assert.match(findings[0]!.bytes.toString('latin1'), /^x/);
  });
}
