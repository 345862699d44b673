import assert from 'node:assert/strict';
import { test } from 'node:test';
import { allSpecs, type FieldSpec, type FieldSpecs, type FieldType } from '@millrace/api';
import { entityOfKey, goTypes } from './go-types.ts';

/** The tables of fields against the types of CloudStack's Go SDK; answers.integ.test.ts holds real answers against both. */

/** Lists of objects in the Go types, by the name of the list. */
const nestedOfGo = (type: string) => goTypes[/^\[(\w+)\]$/.exec(type)?.[1] ?? ''];

function jsonKind(type: FieldType): string {
  switch (type) {
    case 'integer':
    case 'long':
      return 'whole number';
    case 'float':
    case 'double':
      return 'number';
    case 'boolean':
    case 'map':
      return type;
    case 'list':
    case 'set':
      return 'list';
    case 'object':
    case 'responseobject':
    case 'resourceiconresponse':
    case 'hostharesponse':
    case 'outofbandmanagementresponse':
    case 'consoleendpointwebsocketresponse':
      return 'object';
    default:
      return 'string';
  }
}

function accepts(goType: string, field: FieldSpec): boolean {
  const kind = jsonKind(field.type);
  if (goType === 'any') return true;
  if (goType.startsWith('[')) return kind === 'list';
  if (goType === 's' || goType === 'uuid') return kind === 'string';
  if (goType === 'b') return kind === 'boolean';
  if (goType === 'f') return kind === 'number' || kind === 'whole number';
  if (goType === 'i' || goType === 'i64') return kind === 'whole number';
  return kind === 'object' || kind === 'map';
}

function problems(fields: FieldSpecs, go: Readonly<Record<string, string>>, path: string): string[] {
  return Object.entries(fields).flatMap(([name, field]) => {
    const type = go[name];
    if (type === undefined) return [];
    if (!accepts(type, field)) return [`${path}.${name}: ${field.type} here, ${type} in Go`];
    const nested = nestedOfGo(type);
    return field.response && nested ? problems(field.response, nested, `${path}.${name}[]`) : [];
  });
}

const typed = allSpecs.flatMap((spec) => {
  const key = 'key' in spec.result ? spec.result.key.toLowerCase() : '';
  const go = goTypes[entityOfKey[key] ?? ''];
  return go ? [{ spec, go }] : [];
});

test('every field of every entity has the JSON type that the Go SDK decodes', () => {
  assert.ok(typed.length > 80, `only ${typed.length} commands answer with an entity of the Go SDK`);
  assert.deepEqual(
    typed.flatMap(({ spec, go }) => problems(spec.response, go, spec.name)),
    [],
  );
});

test('a field of another type would be seen', () => {
  const zone = { id: { type: 'integer', description: '' } } as const;
  assert.deepEqual(problems(zone, goTypes['Zone']!, 'listZones'), ['listZones.id: integer here, s in Go']);
});
