import { randomBytes } from 'node:crypto';
import { text } from 'node:stream/consumers';
import { setTimeout as delay } from 'node:timers/promises';
import { z } from 'zod';
import { rbdSink } from '../rbd/rbd-sink.ts';

/** Begins an image of an RBD pool and never comes to its end: to be killed. What to write is told at its input. */
const pool = z.object({
  monitors: z.array(z.string()),
  pool: z.string(),
  user: z.string(),
  secret: z.string(),
});
const resume = z.object({ identity: z.string(), segmentBytes: z.number() }).optional();
const wanted = z.object({ pool, image: z.string(), resume }).parse(JSON.parse(await text(process.stdin)));
const content = randomBytes(10_000_000);
const expected = wanted.resume ? { resume: wanted.resume, sizeBytes: 2 * content.length } : {};
const image = await rbdSink(wanted).open(new AbortController().signal, expected);
await image.write(0, content);
// as long as a transfer takes until it is worth to be gone on with
for (const segment of [0, 2]) await image.note(segment);
if (wanted.resume) await delay(5100);
await image.note(5);
console.log('written');
await delay(600_000);
