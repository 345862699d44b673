import { argon2, randomBytes, timingSafeEqual } from 'node:crypto';
import { promisify } from 'node:util';

const derive = promisify(argon2);

/** OWASP's recommendation for argon2id: 19 MiB, two passes, one lane. */
const cost = { memory: 19_456, passes: 2, parallelism: 1 } as const;
const tagLength = 32;

/** Hashes a password into a PHC string, which carries its own salt and cost. */
export async function hashPassword(password: string): Promise<string> {
  const salt = randomBytes(16);
  const tag = await derive('argon2id', { message: password, nonce: salt, tagLength, ...cost });
  return `$argon2id$v=19$m=${cost.memory},t=${cost.passes},p=${cost.parallelism}$${encode(salt)}$${encode(tag)}`;
}

/**
 * Whether the password is the one that was hashed. Without a hash (an unknown user) the same work is done and the answer
 * is no, so that the time tells nothing.
 */
export async function verifyPassword(password: string, phc: string | undefined): Promise<boolean> {
  const parsed = phc === undefined ? undefined : parsePhc(phc);
  const { memory, passes, parallelism, salt, tag } = parsed ?? { ...cost, ...nobody };
  const computed = await derive('argon2id', {
    message: password,
    nonce: salt,
    tagLength: tag.length,
    memory,
    passes,
    parallelism,
  });
  return timingSafeEqual(computed, tag) && parsed !== undefined;
}

/** Whether text is a hash that `verifyPassword` can read. */
export function isPasswordHash(text: string): boolean {
  return parsePhc(text) !== undefined;
}

const nobody = { salt: Buffer.alloc(16, 1), tag: Buffer.alloc(tagLength) } as const;

function parsePhc(phc: string) {
  const match =
    /^\$argon2id\$v=19\$m=(\d{1,7}),t=(\d{1,3}),p=(\d{1,2})\$([A-Za-z0-9+/]{11,86})\$([A-Za-z0-9+/]{22,86})$/.exec(
      phc,
    );
  if (!match) return undefined;
  const [, memory, passes, parallelism, salt, tag] = match;
  return {
    memory: Number(memory),
    passes: Number(passes),
    parallelism: Number(parallelism),
    salt: Buffer.from(salt!, 'base64'),
    tag: Buffer.from(tag!, 'base64'),
  };
}

/** PHC strings carry Base64 without padding. */
function encode(bytes: Buffer): string {
  return bytes.toString('base64').replaceAll('=', '');
}
