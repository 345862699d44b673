import { definedMembers, type JsonObject, numberMember, objectsOf, textMember } from './json.ts';

export interface ApiParam {
  readonly name: string;
  readonly type: string;
  readonly required: boolean;
  readonly description: string;
  readonly length?: number;
  readonly related?: string;
}

export interface ApiField {
  readonly name: string;
  readonly type: string;
  readonly description: string;
  readonly response?: readonly ApiField[];
}

/** A command as `listApis` describes it. */
export interface ApiDescription {
  readonly name: string;
  readonly isasync: boolean;
  readonly description: string;
  readonly params: readonly ApiParam[];
  readonly response: readonly ApiField[];
}

/** Reads the answer of `listApis`. Entries without a name, which CloudStack does emit, are dropped. */
export function decodeApis(answer: JsonObject): ApiDescription[] {
  return objectsOf(answer['api']).flatMap((api) => {
    const name = textMember(api, 'name');
    if (!name) return [];
    return [
      {
        name,
        isasync: api['isasync'] === true,
        description: textMember(api, 'description') ?? '',
        params: objectsOf(api['params']).flatMap(decodeParam),
        response: decodeFields(api['response']),
      },
    ];
  });
}

function decodeParam(param: JsonObject): ApiParam[] {
  const name = textMember(param, 'name');
  if (!name) return [];
  return [
    {
      name: name.toLowerCase(),
      type: textMember(param, 'type') ?? 'string',
      required: param['required'] === true,
      description: textMember(param, 'description') ?? '',
      ...definedMembers({ length: numberMember(param, 'length'), related: textMember(param, 'related') }),
    },
  ];
}

function decodeFields(value: unknown): ApiField[] {
  return objectsOf(value).flatMap((field) => {
    const name = textMember(field, 'name');
    if (!name) return [];
    const nested = decodeFields(field['response']);
    return [
      {
        name,
        type: textMember(field, 'type') ?? 'string',
        description: textMember(field, 'description') ?? '',
        ...(nested.length > 0 ? { response: nested } : {}),
      },
    ];
  });
}
