import {
  type ColumnUpdateNode,
  type InsertQueryNode,
  type KyselyPlugin,
  type OnConflictNode,
  type OperationNode,
  OperationNodeTransformer,
  type PluginTransformQueryArgs,
  type PluginTransformResultArgs,
  type PrimitiveValueListNode,
  type QueryResult,
  type RootOperationNode,
  type TableNode,
  type UnknownRow,
  type UpdateQueryNode,
  type ValueListNode,
  type ValueNode,
  type ValuesNode,
} from 'kysely';
import type { Tables } from './schema.ts';
import { type SecretKeys, sealedPrefix } from './secret-keys.ts';

type SealedColumns = { readonly [T in keyof Tables]?: readonly (keyof Tables[T] & string)[] };

/**
 * What is sealed in the database. Texts in them are never compared by SQL: the same text is sealed differently each time.
 */
export const sealedColumns = {
  user: ['secret_key'],
  certificate_authority: ['private_key'],
  // credentials in URLs, request headers, S3 keys
  vm_template: ['url'],
  vm_template_details: ['value'],
  vm_instance: ['new_password', 'user_data'],
  user_data: ['user_data'],
  // the key of a Ceph user
  storage_pool: ['rbd_secret'],
  data_store: ['rbd_secret'],
  // a reset password is in the answer of its job
  async_job: ['job_result'],
  sealing_check: ['text'],
} as const satisfies SealedColumns;

/** Columns of JSON: what is sealed of them is their text, and stands in them as a JSON string. */
export const sealedJsonColumns: ReadonlySet<string> = new Set(['async_job.job_result']);

/**
 * Seals what is written to `sealedColumns` and opens what is read, so that nobody else has to think of it. Raw SQL that
 * writes to them is not seen here.
 */
export function sealingPlugin(keys: SecretKeys): KyselyPlugin {
  const transformer = new Sealing(keys);
  return {
    transformQuery: ({ node, queryId }: PluginTransformQueryArgs): RootOperationNode =>
      transformer.transformNode(node, queryId),
    transformResult: async ({ result }: PluginTransformResultArgs): Promise<QueryResult<UnknownRow>> => {
      for (const row of result.rows) unsealRow(row, keys);
      return result;
    },
  };
}

function unsealRow(row: UnknownRow, keys: SecretKeys): void {
  for (const [name, value] of Object.entries(row)) {
    if (typeof value !== 'string' || !value.startsWith(sealedPrefix)) continue;
    row[name] = keys.unseal(value);
  }
}

/** @returns what stands in the column for `text`; for a column of JSON, `text` is JSON too */
export function sealFor(keys: SecretKeys, column: string, text: string): string {
  return sealedJsonColumns.has(column) ? JSON.stringify(keys.seal(text, 'json')) : keys.seal(text);
}

class Sealing extends OperationNodeTransformer {
  readonly #keys: SecretKeys;

  constructor(keys: SecretKeys) {
    super();
    this.#keys = keys;
  }

  protected override transformInsertQuery(
    ...[node, queryId]: TransformArgs<InsertQueryNode>
  ): InsertQueryNode {
    const table = node.into === undefined ? undefined : tableName(node.into);
    const columns = columnsOf(table);
    if (table === undefined || columns.length === 0) return super.transformInsertQuery(node, queryId);
    const positions = new Map(
      (node.columns ?? []).flatMap(({ column }, at) =>
        columns.includes(column.name) ? [[at, `${table}.${column.name}`] as const] : [],
      ),
    );
    const sealed: InsertQueryNode = {
      ...node,
      ...(node.values && { values: this.#sealValues(node.values, positions) }),
      ...(node.onConflict && { onConflict: this.#sealConflict(node.onConflict, table) }),
    };
    return super.transformInsertQuery(sealed, queryId);
  }

  protected override transformUpdateQuery(
    ...[node, queryId]: TransformArgs<UpdateQueryNode>
  ): UpdateQueryNode {
    const table = tableName(node.table);
    if (columnsOf(table).length === 0 || table === undefined)
      return super.transformUpdateQuery(node, queryId);
    const sealed = {
      ...node,
      ...(node.updates && { updates: node.updates.map((update) => this.#sealUpdate(update, table)) }),
    };
    return super.transformUpdateQuery(sealed, queryId);
  }

  #sealConflict(node: OnConflictNode, table: string): OnConflictNode {
    return node.updates
      ? { ...node, updates: node.updates.map((update) => this.#sealUpdate(update, table)) }
      : node;
  }

  #sealUpdate(update: ColumnUpdateNode, table: string): ColumnUpdateNode {
    const { column, value } = update;
    if (!isKind<{ kind: 'ColumnNode'; column: { name: string } } & OperationNode>(column, 'ColumnNode'))
      return update;
    const name = `${table}.${column.column.name}`;
    return columnsOf(table).includes(column.column.name)
      ? { ...update, value: this.#sealNode(value, name) }
      : update;
  }

  #sealValues(node: OperationNode, positions: ReadonlyMap<number, string>): OperationNode {
    if (positions.size === 0) return node;
    if (!isKind<ValuesNode>(node, 'ValuesNode'))
      throw new Error(
        `${[...positions.values()]} cannot be filled by a query: what it yields would not be sealed`,
      );
    const sealed: ValuesNode = { ...node, values: node.values.map((row) => this.#sealRow(row, positions)) };
    return sealed;
  }

  #sealRow(
    row: ValueListNode | PrimitiveValueListNode,
    positions: ReadonlyMap<number, string>,
  ): ValueListNode | PrimitiveValueListNode {
    if (isKind<PrimitiveValueListNode>(row, 'PrimitiveValueListNode'))
      return { ...row, values: row.values.map((value, at) => this.#seal(value, positions.get(at))) };
    return {
      ...row,
      values: row.values.map((value, at) => {
        const column = positions.get(at);
        return column === undefined ? value : this.#sealNode(value, column);
      }),
    };
  }

  #sealNode(node: OperationNode, column: string): OperationNode {
    if (isKind<ValueNode>(node, 'ValueNode')) {
      const sealed: ValueNode = { ...node, value: this.#seal(node.value, column) };
      return sealed;
    }
    // `excluded.column` of an upsert is sealed already
    if (node.kind === 'ReferenceNode') return node;
    throw new Error(`${column} takes values only: what ${node.kind} yields would not be sealed`);
  }

  #seal(value: unknown, column: string | undefined): unknown {
    return column === undefined || typeof value !== 'string' ? value : sealFor(this.#keys, column, value);
  }
}

type TransformArgs<N> = [node: N, queryId?: PluginTransformQueryArgs['queryId']];

function isKind<N extends OperationNode>(node: OperationNode, kind: N['kind']): node is N {
  return node.kind === kind;
}

function tableName(node: OperationNode | undefined): string | undefined {
  if (node === undefined) return undefined;
  if (isKind<TableNode>(node, 'TableNode')) return node.table.identifier.name;
  return undefined;
}

function columnsOf(table: string | undefined): readonly string[] {
  const all: Readonly<Record<string, readonly string[] | undefined>> = sealedColumns;
  return (table === undefined ? undefined : all[table]) ?? [];
}
