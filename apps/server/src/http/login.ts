import { ApiError, decodeParams, type EntityOf, type loginFields, specs } from '@millrace/api';
import { keptDomainPath } from '../commands/responses/domain-path.ts';
import { verifyPassword } from '../domain/password.ts';
import type { Database } from '../store/database.ts';
import { recordEvent } from '../store/events.ts';
import { readSetting } from '../store/settings.ts';
import { findEnabledUserByName, type UserRow } from '../store/users.ts';
import { makePasswordCheck, type PasswordCheckDependencies, throttleKeyOf } from './password-check.ts';
import type { ApiRequest } from './request.ts';
import { type OpenSession, openSession, sweepSessions } from './sessions.ts';

export interface LoginDependencies extends PasswordCheckDependencies {
  readonly database: Database;
}

/**
 * Checks a password and opens a session.
 * @throws ApiError 531 in the same words for an unknown user, a wrong password and a disabled user; 405 for GET, which
 * would leave the password in logs; 429 after too many failures.
 */
export async function login(
  request: ApiRequest,
  dependencies: LoginDependencies,
): Promise<{ readonly fields: EntityOf<typeof loginFields>; readonly session: OpenSession }> {
  const { database } = dependencies;
  if (request.method !== 'POST') {
    throw new ApiError('METHOD_NOT_ALLOWED', 'login must be sent by POST, or the password ends up in logs');
  }
  const { params } = decodeParams('login', specs.login.params, request.params, false);
  // decoded by this very specification
  const given = params as { username: string; password: string; domain?: string; domainId?: number };
  const domain =
    given.domainId === undefined ? { path: keptDomainPath(given.domain ?? '/') } : { id: given.domainId };
  const check = makePasswordCheck(dependencies, {
    address: request.clientAddress,
    key: throttleKeyOf(domain, given.username),
    what: 'failed logins',
  });
  const user = await check(async () => {
    const found = await findEnabledUserByName(database, given.username, domain);
    return (await verifyPassword(given.password, found?.password)) ? found : undefined;
  });
  if (!user) {
    throw new ApiError(
      'ACCOUNT_ERROR',
      `Failed to authenticate user ${given.username} in domain ${given.domain ?? '/'}; check the name, the password and the domain`,
    );
  }
  await sweepSessions(database);
  const session = await openSession(database, user.id);
  await recordEvent(database, {
    type: 'USER.LOGIN',
    description: `user ${user.username} has logged in`,
    userId: user.id,
    accountId: user.account_id,
    clientAddress: request.clientAddress,
  });
  return { fields: await loginAnswer(database, user, session.key), session };
}

async function loginAnswer(
  database: Database,
  user: UserRow,
  sessionKey: string,
): Promise<EntityOf<typeof loginFields>> {
  return {
    username: user.username,
    userid: user.uuid,
    domainid: user.domain_uuid,
    timeout: await readSetting(database, 'session.timeout'),
    account: user.account_name,
    firstname: user.firstname,
    lastname: user.lastname,
    type: String(user.account_type),
    timezone: user.timezone ?? 'UTC',
    timezoneoffset: '0.0',
    registered: 'false',
    sessionkey: sessionKey,
    is2faenabled: 'false',
    is2faverified: 'true',
    issuerfor2fa: 'Millrace',
  };
}
