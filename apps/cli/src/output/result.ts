import { isJsonObject, type JsonObject, numberMember } from '@millrace/api-client';

/** What a command answered, taken out of its envelope. */
export type Result =
  /** `count` is of all that match, `rows` may be one page of them. */
  | {
      readonly kind: 'list';
      readonly key: string;
      readonly rows: readonly JsonObject[];
      readonly count: number;
    }
  | { readonly kind: 'entity'; readonly key: string; readonly row: JsonObject }
  | { readonly kind: 'fields'; readonly row: JsonObject };

/**
 * Recognises the shape of an answer: `{count, zone: […]}` is a list, `{virtualmachine: {…}}` an entity, anything else its
 * own fields. An empty answer of a list command is an empty list.
 */
export function readResult(answer: JsonObject, command: string): Result {
  const keys = Object.keys(answer).filter((key) => key !== 'count');
  const [key] = keys;
  const value = key === undefined ? undefined : answer[key];
  if (key !== undefined && keys.length === 1 && Array.isArray(value)) {
    // a list of bare values, which a few commands give, becomes rows of one field
    const rows = value.map((row) => (isJsonObject(row) ? row : { [key]: row }));
    return { kind: 'list', key, rows, count: numberMember(answer, 'count') ?? rows.length };
  }
  if (key !== undefined && keys.length === 1 && isJsonObject(value))
    return { kind: 'entity', key, row: value };
  if (key === undefined && ('count' in answer || /^list/i.test(command))) {
    return { kind: 'list', key: '', rows: [], count: numberMember(answer, 'count') ?? 0 };
  }
  return { kind: 'fields', row: answer };
}
