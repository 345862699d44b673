import {
  ApiCallError,
  type ApiClient,
  type JsonObject,
  numberMember,
  objectsOf,
  textMember,
} from '@millrace/api-client';
import { MillraceError } from '@millrace/core';

/** What of the API the demo reads: a client and when to stop. */
export interface Reader {
  readonly api: ApiClient;
  readonly signal: AbortSignal;
}

/** The rows of a list; an entity that is not there is an empty list. */
export async function listRows(
  { api, signal }: Reader,
  command: string,
  params: Readonly<Record<string, string>> = {},
): Promise<JsonObject[]> {
  try {
    const answer = await api.call(command, params, { signal });
    return objectsOf(Object.values(answer).find(Array.isArray));
  } catch (error) {
    if (error instanceof ApiCallError && /entity does not exist/.test(error.errortext)) return [];
    throw error;
  }
}

/** The id of the only zone of a new instance, or of the first of several. */
export async function firstZone(reader: Reader): Promise<string> {
  const [zone] = await listRows(reader, 'listZones');
  if (zone === undefined) throw demoFailed('there is no zone');
  return requireText(zone, 'id');
}

/** The id of the offering with the least memory that the tiny guest can live with. */
export async function smallestOffering(reader: Reader): Promise<string> {
  const memoryOf = (offering: JsonObject) => numberMember(offering, 'memory') ?? Number.POSITIVE_INFINITY;
  const [smallest] = (await listRows(reader, 'listServiceOfferings'))
    .filter((offering) => memoryOf(offering) >= 128)
    .sort((a, b) => memoryOf(a) - memoryOf(b));
  if (smallest === undefined) throw demoFailed('there is no service offering with 128 MiB of memory or more');
  return requireText(smallest, 'id');
}

/** A VM that exists and is not on its way out. */
export async function findVm(reader: Reader, id: string | undefined): Promise<JsonObject | undefined> {
  if (id === undefined) return undefined;
  const [vm] = await listRows(reader, 'listVirtualMachines', { id });
  const gone = ['Destroyed', 'Expunging', 'Expunged', 'Error'];
  return vm === undefined || gone.includes(textMember(vm, 'state') ?? '') ? undefined : vm;
}

export async function templateExists(reader: Reader, id: string | undefined): Promise<boolean> {
  if (id === undefined) return false;
  return (await listRows(reader, 'listTemplates', { id, templatefilter: 'all' })).length > 0;
}

export function requireText(object: JsonObject, key: string): string {
  const value = textMember(object, key);
  if (value === undefined) throw demoFailed(`the API's answer has no ${key}`);
  return value;
}

export function demoFailed(why: string): MillraceError {
  return new MillraceError('DEMO_FAILED', `The demo did not work: ${why}`);
}
