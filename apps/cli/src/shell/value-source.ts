import type { ApiParam, JsonObject } from '@millrace/api-client';
import { textMember } from '@millrace/api-client';
import type { Catalogue, Command } from '../catalogue/catalogue.ts';
import { readResult } from '../output/result.ts';

/** A word that may stand where the cursor is. */
export interface Candidate {
  readonly value: string;
  readonly description?: string;
}

/** Values that the API's description does not enumerate. */
const knownValues: Readonly<Record<string, readonly string[]>> = {
  templatefilter: [
    'featured',
    'self',
    'selfexecutable',
    'sharedexecutable',
    'executable',
    'community',
    'all',
  ],
  isofilter: ['featured', 'self', 'selfexecutable', 'sharedexecutable', 'executable', 'community', 'all'],
  hypervisor: ['KVM'],
  format: ['QCOW2', 'RAW'],
  arch: ['x86_64', 'aarch64'],
};

/** Parameters whose name does not lead to the list that has their values. */
const irregularNouns: Readonly<Record<string, string>> = {
  storageid: 'storagepools',
  poolid: 'storagepools',
  jobid: 'asyncjobs',
  vmid: 'virtualmachines',
  destzoneid: 'zones',
  sourcezoneid: 'zones',
  account: 'accounts',
};

/** Values that can be told without asking the server; `undefined` when it must be asked. */
export function fixedValues(param: ApiParam): readonly string[] | undefined {
  return param.type === 'boolean' ? ['true', 'false'] : knownValues[param.name];
}

/**
 * The list command whose entities can be the value of a parameter: `zoneid` → listZones, `id` of startVirtualMachine →
 * listVirtualMachines.
 */
export function listCommandFor(catalogue: Catalogue, command: Command, param: ApiParam): Command | undefined {
  const lists = catalogue.byVerb.get('list') ?? [];
  const find = (noun: string) => lists.find((list) => list.noun === noun);
  const irregular = irregularNouns[param.name];
  if (irregular !== undefined) return find(irregular);
  const name = /^(.*?)ids?$/.exec(param.name)?.[1];
  if (name === undefined) return undefined;
  const noun = name === '' ? command.noun : name;
  const plurals = [noun, `${noun}s`, `${noun}es`, noun.replace(/y$/, 'ies')];
  return plurals.map(find).find((list) => list !== undefined);
}

/** Arguments that make a list command answer with everything that could be meant. */
export function listingParams(list: Command): Record<string, string> {
  const wanted: Record<string, string> = {
    listall: 'true',
    templatefilter: 'executable',
    isofilter: 'executable',
    pagesize: '100',
    page: '1',
  };
  const has = new Set(list.api.params.map((param) => param.name));
  const params = Object.fromEntries(Object.entries(wanted).filter(([name]) => has.has(name)));
  if (list.noun === 'hosts' && has.has('type')) params['type'] = 'Routing';
  return params;
}

/** The ids in an answer, each with what a person knows the thing by. */
export function candidatesOf(answer: JsonObject, list: Command, param: ApiParam): Candidate[] {
  const result = readResult(answer, list.api.name);
  if (result.kind !== 'list') return [];
  const byName = param.name === 'account';
  return result.rows.flatMap((row) => {
    const value = byName ? textMember(row, 'name') : (textMember(row, 'id') ?? textMember(row, 'jobid'));
    if (value === undefined) return [];
    const label = ['name', 'username', 'displaytext', 'description', 'cmd', 'ipaddress']
      .map((key) => textMember(row, key))
      .find((text) => text !== undefined && text !== value);
    const state = textMember(row, 'state');
    const description = [label, state].filter((text) => text !== undefined).join(', ');
    return [description === '' ? { value } : { value, description }];
  });
}
