import { entityNotFound, invalidParameter } from '@millrace/api';
import type { SettingScope } from '../domain/setting-scopes.ts';
import type { Executor } from '../store/database.ts';
import { findHolder, type SettingHolder } from '../store/scoped-settings.ts';

const params = {
  zoneid: 'zone',
  clusterid: 'cluster',
  storageid: 'storagepool',
  domainid: 'domain',
  accountid: 'account',
} as const satisfies Record<string, SettingScope>;

export type HolderParams = { readonly [name in keyof typeof params]?: string | undefined };

export interface AskedHolder {
  readonly param: string;
  readonly scope: SettingScope;
  readonly uuid: string;
}

/** Whose value of a setting is meant; undefined: the whole cloud's. @throws ApiError 431 when several are named */
export function holderAsked(asked: HolderParams): AskedHolder | undefined {
  const named = Object.entries(params).flatMap(([param, scope]) => {
    const uuid = asked[param as keyof typeof params];
    return uuid === undefined ? [] : [{ param, scope, uuid }];
  });
  const [first, second] = named;
  if (second)
    throw invalidParameter(second.param, `does not go with ${first!.param}: a value is of one of them`);
  return first;
}

/** @throws ApiError 431 */
export async function holderNamed(
  executor: Executor,
  { scope, uuid, param }: AskedHolder,
): Promise<SettingHolder> {
  const holder = await findHolder(executor, scope, uuid);
  if (holder) return holder;
  throw entityNotFound(param, uuid);
}
