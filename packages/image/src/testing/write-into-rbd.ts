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
const wanted = z.object({ pool, image: z.string() }).parse(JSON.parse(await text(process.stdin)));
const image = await rbdSink(wanted).open(new AbortController().signal);
await image.write(0, randomBytes(10_000_000));
console.log('written');
await delay(600_000);
