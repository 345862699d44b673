import assert from 'node:assert/strict';
import { test } from 'node:test';
import { makeCampaign } from './campaign.ts';
import { largestInputBytes, makeRandom, mutate } from './mutate.ts';
import { loadTarget, readCorpus, targetNames } from './target.ts';

/** A short run of what `npm run fuzz` does for as long as one likes. */
const executions = 300;

for (const name of await targetNames()) {
  test(`${name}: what was found and kept in earlier runs, and some more, is refused or accepted without an accident`, async () => {
    const target = await loadTarget(name);
    assert.equal(target.name, name);
    const corpus = await readCorpus(name);
    for (const [file, bytes] of corpus) {
      await assert.doesNotReject(async () => target.run(Buffer.from(bytes)), file);
    }
    const campaign = await makeCampaign(
      target,
      corpus.map(([, bytes]) => bytes),
      1,
    );
    let answers = 0;
    for (let execution = 0; execution < executions; execution++) {
      const bytes = campaign.next();
      if (campaign.learn(bytes, await target.run(Buffer.from(bytes)))) answers++;
    }
    // a target that says the same to everything is not reached by anything
    assert.ok(answers > 2, `${answers} answers`);
  });

  test(`${name}: its first seed is accepted, so that there is something to break`, async () => {
    const target = await loadTarget(name);
    const [first] = await target.seeds();
    assert.match((await target.run(Buffer.from(first!))) ?? '', /^accepted/);
  });
}

test('the same seed gives the same inputs, another one others', () => {
  const inputs = (seed: number) => {
    const random = makeRandom(seed);
    return Array.from({ length: 200 }, () =>
      mutate(Buffer.from('some input'), Buffer.from('another'), random),
    );
  };
  assert.deepEqual(inputs(1), inputs(1));
  assert.notDeepEqual(inputs(1), inputs(2));
  assert.ok(new Set(inputs(1).map((bytes) => bytes.toString('hex'))).size > 150);
});

test('inputs are changed as copies and stay small', () => {
  const random = makeRandom(3);
  const input = Buffer.alloc(largestInputBytes, 7);
  for (let round = 0; round < 300; round++) {
    assert.ok(mutate(input, input, random).length <= largestInputBytes);
    mutate(Buffer.alloc(0), Buffer.alloc(0), random);
  }
  assert.ok(input.every((byte) => byte === 7));
});

test('a target that fails now and then is caught', async () => {
  const target = {
    name: 'fails',
    seeds: () => [Buffer.from('seed')],
    run(bytes: Buffer): string {
      if (bytes.length > 20) throw new TypeError('a bug');
      return `${bytes.length}`;
    },
  };
  const campaign = await makeCampaign(target, [], 5);
  await assert.rejects(async () => {
    for (let execution = 0; execution < 5000; execution++) {
      const bytes = campaign.next();
      campaign.learn(bytes, target.run(bytes));
    }
  }, TypeError);
});
