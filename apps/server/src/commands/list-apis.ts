import {
  allSpecs,
  type CommandSpec,
  type FieldSpecs,
  invalidParameter,
  specs,
  successFields,
} from '@millrace/api';
import { mayCall } from '../domain/role-rules.ts';
import { type Caller, implement } from './command.ts';

export const listApis = implement(specs.listApis, async ({ params, caller }) => {
  const wanted = params.name?.toLowerCase();
  const list = describeApis(caller).filter(
    (api) => wanted === undefined || api.name.toLowerCase() === wanted,
  );
  if (wanted !== undefined && list.length === 0) {
    throw invalidParameter('name', 'there is no command of this name that you may call');
  }
  return { list, count: list.length };
});

/** The commands a caller may call, as CloudMonkey, Marvin and others build their own commands from them. */
export function describeApis(caller: Pick<Caller, 'role' | 'rules'>) {
  const visible = allSpecs.filter((spec) => mayCall(caller, spec)).sort((a, b) => (a.name < b.name ? -1 : 1));
  return visible.map((spec) => describe(spec, visible));
}

function describe(spec: CommandSpec, others: readonly CommandSpec[]) {
  return {
    name: spec.name,
    description: spec.description,
    isasync: spec.isAsync,
    ...(spec.since === undefined ? {} : { since: spec.since }),
    related: relatedTo(spec, others),
    params: Object.entries(spec.params).map(([name, param]) => ({
      name,
      description: param.unsupported
        ? `${param.description} (${param.unsupported.effect}: ${param.unsupported.reason})`
        : param.description,
      type: param.type,
      length: param.length,
      required: param.required,
    })),
    response: describeFields(spec.response),
  };
}

interface DescribedField {
  readonly name: string;
  readonly description: string;
  readonly type: string;
  readonly response?: readonly DescribedField[];
}

function describeFields(fields: FieldSpecs): DescribedField[] {
  return Object.entries(fields).map(([name, field]) => ({
    name,
    description: field.description,
    type: field.type,
    ...(field.response ? { response: describeFields(field.response) } : {}),
  }));
}

/** Commands that answer with the same entity: where a client may look for ids. */
function relatedTo(spec: CommandSpec, others: readonly CommandSpec[]): string {
  if (spec.response === successFields) return '';
  return others
    .filter((other) => other !== spec && other.response === spec.response)
    .map((other) => other.name)
    .join(',');
}
