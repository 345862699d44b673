import { call } from './call.ts';

/** Who is logged in. The session itself is a cookie that no script can read. */
export interface Session {
  readonly username: string;
  readonly account: string;
  readonly isAdmin: boolean;
  /** Root admins and domain admins. */
  readonly administers: boolean;
}

const storageKey = 'millrace-session';

export async function logIn(username: string, password: string, domain?: string): Promise<Session> {
  const answer = await call('login', { username, password, domain });
  const session: Session = {
    username: String(answer['username'] ?? username),
    account: String(answer['account'] ?? ''),
    // CloudStack's account types: 1 is a root admin, 2 a domain admin
    isAdmin: answer['type'] === '1',
    administers: ['1', '2'].includes(String(answer['type'])),
  };
  localStorage.setItem(storageKey, JSON.stringify(session));
  return session;
}

export async function logOut(): Promise<void> {
  localStorage.removeItem(storageKey);
  await call('logout');
}

/** Who was logged in when the page was loaded; whether the session still holds, the first call tells. */
export function rememberedSession(): Session | undefined {
  try {
    const value: unknown = JSON.parse(localStorage.getItem(storageKey) ?? 'null');
    if (typeof value !== 'object' || value === null) return undefined;
    const { username, account, isAdmin, administers } = value as Partial<Session>;
    if (typeof username !== 'string') return undefined;
    return { username, account: account ?? '', isAdmin: isAdmin === true, administers: administers === true };
  } catch {
    return undefined;
  }
}

export function forgetSession(): void {
  localStorage.removeItem(storageKey);
}
