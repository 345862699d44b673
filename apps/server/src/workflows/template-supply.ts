import { isIP } from 'node:net';
import type { ImageSourceMessage } from '@millrace/agent-protocol';
import { sleep } from '@millrace/core';
import { AgentCallError } from '../domain/failure-policy.ts';
import { type StoredCopy, storedCopies } from '../store/stored-copies.ts';
import { imageFormatOf, templateFileName, templateSource } from './records.ts';
import { serveCopy } from './serve-copy.ts';
import type { ExpectedContent } from './template-content.ts';
import type { TemplateOnPoolOptions } from './template-on-pool.ts';

/** Where one transfer takes an image from. */
export interface Supply {
  readonly source: ImageSourceMessage;
  /** Addresses that this transfer may go to, whatever the egress policy says: those of our own servers of images. */
  readonly ownCidrs: readonly string[];
  /** The copy that it is taken from; absent: the template's own source. */
  readonly copy?: StoredCopy;
}

const pausesMs = [0, 2000, 4000, 8000];

/** A transfer from a copy may take as long as it likes, once it has begun; one that is resumed asks for another link. */
const linkSeconds = 24 * 3600;

/**
 * Where a place may get a template from, the best first. Hosts fetch what is for direct download from its source. All else
 * goes from its source to an image store, once, and from there to pools; a copy that was lost comes from another copy that
 * the cloud still has, and only then from its source again.
 * @param damaged IDs of copies that turned out to be no copies; the caller adds to it
 */
export async function* suppliesOf(
  options: TemplateOnPoolOptions,
  expected: ExpectedContent | undefined,
  damaged: ReadonlySet<number>,
): AsyncGenerator<Supply, void, undefined> {
  const { context, place, template } = options;
  const fromSource = async (): Promise<Supply> => ({
    source: await context.read((database) => templateSource(database, template)),
    ownCidrs: [],
  });
  if (template.direct_download) {
    yield await fromSource();
    return;
  }
  const problems: string[] = [];
  let offered = 0;
  // whoever has another way out takes it at once; a pool has none, and a store's machine may only be starting anew
  for (const pauseMs of place.role === 'Image' ? [0] : pausesMs) {
    await sleep(pauseMs, context.signal);
    problems.length = 0;
    const copies = await context.read((database) => storedCopies(database, template.id, place.zoneId));
    for (const copy of copies) {
      if (copy.poolId === place.poolId || damaged.has(copy.spoolId) || !isSameContent(copy, expected))
        continue;
      try {
        const supply = await fromCopy(options, copy);
        offered++;
        yield supply;
      } catch (error) {
        context.signal.throwIfAborted();
        if (!(error instanceof AgentCallError)) throw error;
        problems.push(error.message);
      }
    }
    if (problems.length === 0 && offered === 0) break;
  }
  if (place.role === 'Image') yield await fromSource();
  else if (offered === 0)
    throw new AgentCallError(
      'IMAGE_STORE_UNAVAILABLE',
      problems.length > 0
        ? problems.join('; ')
        : 'no image store has the template whole: its downloaddetails say how far it is',
      { failureClass: 'stop' },
    );
}

function isSameContent({ checksum }: StoredCopy, expected: ExpectedContent | undefined): boolean {
  return expected === undefined || checksum === expected.digest;
}

async function fromCopy(options: TemplateOnPoolOptions, copy: StoredCopy): Promise<Supply> {
  const { context, agents, template } = options;
  return context.read(async (database) => {
    const deps = { agents, database, signal: context.signal };
    const served = await serveCopy(deps, copy, {
      name: templateFileName(template),
      lifetimeSeconds: linkSeconds,
    });
    return {
      source: { url: served.hostUrl, headers: {}, format: imageFormatOf(template), checksum: served.digest },
      ownCidrs: cidrOf(served.hostUrl),
      copy: { ...copy, fileDigest: served.digest },
    };
  });
}

/** Image servers are in the network of the hosts, where users' sources must not lead. */
function cidrOf(url: string): string[] {
  const address = new URL(url).hostname.replace(/^\[|\]$/g, '');
  const bits = { 4: 32, 6: 128 }[isIP(address)];
  return bits === undefined ? [] : [`${address}/${bits}`];
}
