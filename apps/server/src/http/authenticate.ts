import { ApiError, wireValue } from '@millrace/api';
import type { Caller } from '../commands/command.ts';
import { rolesByAccountType } from '../domain/role-rules.ts';
import type { Database } from '../store/database.ts';
import { findEnabledUserByApiKey, findEnabledUserById, type UserRow } from '../store/users.ts';
import type { ApiRequest } from './request.ts';
import { sessionCookie, sessionKeyCookie, userOfSession } from './sessions.ts';
import { checkExpiry, isSignedWith } from './signature.ts';

/**
 * Finds out who calls: by the signature when there is an API key, else by the session.
 * @throws ApiError 401, in the same words whatever was wrong with the credentials.
 */
export async function authenticate(database: Database, request: ApiRequest, now: Date): Promise<Caller> {
  const apiKey = wireValue(request.params, 'apikey');
  const user =
    apiKey === undefined
      ? await bySession(database, request)
      : await bySignature(database, request, apiKey, now);
  if (!user) {
    throw new ApiError('UNAUTHORIZED', 'unable to verify user credentials and/or request signature');
  }
  return callerOf(user);
}

async function bySignature(
  database: Database,
  request: ApiRequest,
  apiKey: string,
  now: Date,
): Promise<UserRow | undefined> {
  const user = await findEnabledUserByApiKey(database, apiKey);
  // an unknown key costs the same work as a known one
  const signed = isSignedWith(request.params, user?.secret_key ?? 'unknown');
  if (!user?.secret_key || !signed) return undefined;
  checkExpiry(request.params, now);
  return user;
}

async function bySession(database: Database, request: ApiRequest): Promise<UserRow | undefined> {
  const id = request.cookies[sessionCookie];
  const param = wireValue(request.params, 'sessionkey');
  // a page of another site can make a browser send cookies, but it cannot know the key: without the parameter the
  // browser must vouch that the call comes from this very site (or be no browser)
  const sameSite = ['same-origin', 'none', undefined].includes(request.fetchSite);
  const key = param ?? (sameSite ? request.cookies[sessionKeyCookie] : undefined);
  if (!id || !key) return undefined;
  const userId = await userOfSession(database, { id, key });
  return userId === undefined ? undefined : findEnabledUserById(database, userId);
}

export function callerOf(user: UserRow): Caller {
  const role = rolesByAccountType[user.account_type];
  if (!role) throw new Error(`account ${user.account_uuid} has the unknown type ${user.account_type}`);
  return {
    userId: user.id,
    userUuid: user.uuid,
    username: user.username,
    accountId: user.account_id,
    accountUuid: user.account_uuid,
    accountName: user.account_name,
    domainId: user.domain_id,
    domainUuid: user.domain_uuid,
    domainPath: user.domain_path,
    role,
    rules: user.rules,
  };
}
