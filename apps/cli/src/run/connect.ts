import { type ApiClient, makeApiClient } from '@millrace/api-client';
import { makeCatalogueCache } from '../catalogue/cache.ts';
import { type Catalogue, makeCatalogue } from '../catalogue/catalogue.ts';
import { type Profile, type ProfileFile, readProfiles } from '../catalogue/profile-file.ts';
import { CredentialsError, UsageError } from '../failures.ts';
import type { CliContext } from './context.ts';
import { makeSessionClient } from './session-client.ts';

const defaultUrl = 'http://127.0.0.1:8080/client/api';

export interface SelectedProfile {
  readonly name: string;
  /** With what the environment says laid over it. */
  readonly profile: Profile & { readonly url: string };
  readonly file: ProfileFile;
}

/** The profile in use: named on the command line, else by MILLRACE_PROFILE, else the current one of the file. */
export async function selectProfile(
  context: Pick<CliContext, 'environment' | 'paths'>,
  named: string | undefined,
  signal: AbortSignal,
): Promise<SelectedProfile> {
  const { environment, paths } = context;
  const file = await readProfiles(paths.config, signal);
  const name = named ?? (environment['MILLRACE_PROFILE'] || file.current);
  const laidOver = {
    url: environment['MILLRACE_URL'],
    apikey: environment['MILLRACE_APIKEY'],
    secretkey: environment['MILLRACE_SECRETKEY'],
  };
  const given = Object.fromEntries(Object.entries(laidOver).filter(([, value]) => value));
  return { name, profile: { url: defaultUrl, ...file.profiles[name], ...given }, file };
}

/** A server as seen through a profile: its client, and the commands it has. Nothing is sent before something is asked. */
export interface Connection {
  readonly selected: SelectedProfile;
  /** @throws CredentialsError when the profile has nothing to call with */
  client(): Promise<ApiClient>;
  /** Commands from the cache, else from the server. */
  catalogue(): Promise<Catalogue>;
  /** Commands from the cache alone. */
  keptCatalogue(): Promise<Catalogue | undefined>;
  /** Asks the server for its commands and keeps them. */
  refresh(): Promise<Catalogue>;
  /** Runs `work` with the catalogue; if it fails for something that a newer catalogue may know, once more with that. */
  withCatalogue<T>(work: (catalogue: Catalogue) => T): Promise<T>;
}

/** @throws UsageError when the profile that was named is not there */
export async function connect(
  context: Pick<CliContext, 'environment' | 'paths'>,
  named: string | undefined,
  options: { readonly signal: AbortSignal; readonly timeoutMs?: number },
): Promise<Connection> {
  const { signal } = options;
  const selected = await selectProfile(context, named, signal);
  const { name, profile, file } = selected;
  const explicit = named ?? context.environment['MILLRACE_PROFILE'];
  if (explicit && !(explicit in file.profiles)) throw unknownProfile(explicit, file);
  const cache = makeCatalogueCache(context.paths.state);
  const key = { profile: name, url: profile.url, identity: profile.apikey ?? profile.username ?? '' };

  let opened: Promise<ApiClient> | undefined;
  const client = () => {
    opened ??= openClient(context, selected, options);
    return opened;
  };
  const refresh = async () => {
    const apis = await (await client()).listApis({ signal });
    await cache.save(key, apis, signal);
    return makeCatalogue(apis);
  };
  const keptCatalogue = async () => {
    const apis = await cache.load(key, signal);
    return apis === undefined ? undefined : makeCatalogue(apis);
  };
  return {
    selected,
    client,
    refresh,
    keptCatalogue,
    catalogue: async () => (await keptCatalogue()) ?? (await refresh()),
    async withCatalogue(work) {
      const kept = await keptCatalogue();
      if (kept === undefined) return work(await refresh());
      try {
        return work(kept);
      } catch (error) {
        if (!(error instanceof UsageError && error.dependsOnCatalogue)) throw error;
        // a server that cannot be asked cannot make the line right either: the usage error says more
        const renewed = await refresh().catch(() => undefined);
        if (renewed === undefined) throw error;
        return work(renewed);
      }
    },
  };
}

async function openClient(
  context: Pick<CliContext, 'paths'>,
  { name, profile }: SelectedProfile,
  options: { readonly signal: AbortSignal; readonly timeoutMs?: number },
): Promise<ApiClient> {
  const timeout = options.timeoutMs === undefined ? {} : { timeoutMs: options.timeoutMs };
  const { url, apikey, secretkey, username, password, domain } = profile;
  if (apikey && secretkey) return makeApiClient({ url, apiKey: apikey, secretKey: secretkey, ...timeout });
  if (username && password) {
    const credentials = { url, username, password, domain };
    return makeSessionClient(credentials, { stateDir: context.paths.state, ...timeout }, options.signal);
  }
  throw new CredentialsError(
    `Profile ${name} has neither API keys nor a password for ${url}.\n` +
      'Set them: millrace set apikey KEY, then millrace set secretkey - (asks for it); or username and password.\n' +
      'npm start writes a profile for the server that it starts.',
  );
}

function unknownProfile(name: string, file: ProfileFile): UsageError {
  const names = Object.keys(file.profiles);
  const there = names.length === 0 ? 'There is none yet.' : `There are ${names.join(', ')}.`;
  return new UsageError(`No profile ${name}. ${there}\nMake it: millrace set profile ${name}`);
}
