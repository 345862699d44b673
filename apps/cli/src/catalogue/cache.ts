import { createHash } from 'node:crypto';
import { join } from 'node:path';
import { type ApiDescription, decodeApis, isJsonObject } from '@millrace/api-client';
import { readTextIfAny, writePrivateFile } from './private-file.ts';

/** Whose catalogue it is: a server shows each caller the commands that this caller may use. */
export interface CacheKey {
  readonly profile: string;
  readonly url: string;
  /** The API key or the user's name. */
  readonly identity: string;
}

export interface CatalogueCache {
  /** `undefined` when nothing was kept, or nothing that can be read. */
  load(key: CacheKey, signal: AbortSignal): Promise<ApiDescription[] | undefined>;
  save(key: CacheKey, apis: readonly ApiDescription[], signal: AbortSignal): Promise<void>;
}

/** Keeps descriptions of commands as files in the state directory. */
export function makeCatalogueCache(stateDir: string): CatalogueCache {
  const pathOf = ({ profile, url, identity }: CacheKey) => {
    const digest = createHash('sha256').update(`${url}\n${identity}`).digest('hex').slice(0, 16);
    return join(stateDir, 'catalogue', `${profile.replaceAll(/[^\w-]/g, '_')}-${digest}.json`);
  };
  return {
    async load(key, signal) {
      const text = await readTextIfAny(pathOf(key), signal);
      if (text === undefined) return undefined;
      try {
        const content: unknown = JSON.parse(text);
        if (!isJsonObject(content) || content['url'] !== key.url) return undefined;
        const apis = decodeApis(content);
        return apis.length === 0 ? undefined : apis;
      } catch {
        // a cache that cannot be read is one that is not there: it is fetched again
        return undefined;
      }
    },
    async save(key, apis, signal) {
      await writePrivateFile(pathOf(key), JSON.stringify({ url: key.url, api: apis }), signal);
    },
  };
}
