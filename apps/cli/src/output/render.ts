import type { ApiDescription, JsonObject } from '@millrace/api-client';
import type { OutputFormat } from '../grammar/options.ts';
import { allColumnsOf, hasUsualColumns, usualColumnsOf } from './columns.ts';
import { formatBytes } from './quantities.ts';
import { readResult } from './result.ts';
import { formatTable, readableWidth, type Table } from './table.ts';
import { cellText, leavesOf, valueAt } from './values.ts';

export interface RenderOptions {
  readonly api: ApiDescription;
  readonly format: OutputFormat;
  readonly filter?: readonly string[] | undefined;
  readonly wide?: boolean | undefined;
  /** Of the terminal, when there is one: tables are cut to fit. */
  readonly width?: number | undefined;
}

/** An answer as text, ending in a line break. */
export function render(answer: JsonObject, options: RenderOptions): string {
  switch (options.format) {
    case 'json':
      return renderJson(answer, options);
    case 'csv':
      return renderCsv(answer, options);
    case 'text':
      return renderText(answer, options);
    case 'table':
      return renderTable(answer, options);
  }
}

/** The answer as the server gave it; with a filter, its rows with these fields alone. */
function renderJson(answer: JsonObject, { api, filter }: RenderOptions): string {
  let value: unknown = answer;
  if (filter !== undefined) {
    const result = readResult(answer, api.name);
    if (result.kind === 'list') {
      value =
        result.key === '' ? answer : { count: result.count, [result.key]: result.rows.map(picked(filter)) };
    } else if (result.kind === 'entity') value = { [result.key]: picked(filter)(result.row) };
    else value = picked(filter)(result.row);
  }
  // the one kind of control character that JSON leaves as it is
  const text = JSON.stringify(value, undefined, 2).replaceAll(
    /[\u007f-\u009f]/g,
    (character) => `\\u00${character.charCodeAt(0).toString(16)}`,
  );
  return `${text}\n`;
}

function picked(filter: readonly string[]): (row: JsonObject) => JsonObject {
  return (row) => {
    const values = filter.map((path) => [path, valueAt(row, path)] as const);
    return Object.fromEntries(values.filter(([, value]) => value !== undefined));
  };
}

function rowsOf(answer: JsonObject, api: ApiDescription): { key: string; rows: readonly JsonObject[] } {
  const result = readResult(answer, api.name);
  if (result.kind === 'list') return result;
  return { key: result.kind === 'entity' ? result.key : '', rows: [result.row] };
}

/** RFC 4180, with a header; every field unless filtered, nested ones as JSON. */
function renderCsv(answer: JsonObject, { api, filter }: RenderOptions): string {
  const { rows } = rowsOf(answer, api);
  const columns = filter ?? allColumnsOf(api.response, rows);
  if (columns.length === 0) return '';
  const lines = rows.map((row) => columns.map((path) => csvText(valueAt(row, path))));
  return [columns, ...lines].map((line) => `${line.map(csvCell).join(',')}\r\n`).join('');
}

function csvText(value: unknown): string {
  if (value === undefined || value === null) return '';
  return typeof value === 'object' ? JSON.stringify(value) : String(value);
}

function csvCell(text: string): string {
  return /[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
}

/** `key = value`, nested fields by their path, an empty line between entities, the count at the end of a list. */
function renderText(answer: JsonObject, { api, filter }: RenderOptions): string {
  const result = readResult(answer, api.name);
  const { rows } = rowsOf(answer, api);
  const blocks = rows.map((row) => {
    const leaves =
      filter === undefined
        ? [...leavesOf(row)]
        : filter.map((path): [string, string] => [path, cellText(valueAt(row, path))]);
    return leaves.map(([path, text]) => `${path} = ${text}\n`).join('');
  });
  if (result.kind === 'list') blocks.push(countLine(result.count, rows.length));
  return blocks.join('\n');
}

/** Columns for a list or a well-known entity; one line per field for bare fields and for entities of other kinds. */
function renderTable(answer: JsonObject, options: RenderOptions): string {
  const { api, filter, wide, width } = options;
  const result = readResult(answer, api.name);
  if (result.kind === 'fields' || (result.kind === 'entity' && !filter && !hasUsualColumns(result.key))) {
    if (!filter && isBareSuccess(result.row)) return 'success\n';
    const paths = filter ?? Object.keys(result.row);
    const rows = paths.map((path) => [path, cellText(valueAt(result.row, path))]);
    return formatTable({ columns: ['field', 'value'], rows }, wide ? undefined : width);
  }
  const { key, rows } = rowsOf(answer, api);
  const footer = result.kind === 'list' ? countLine(result.count, rows.length) : '';
  if (rows.length === 0) return footer;
  const room = wide ? Number.POSITIVE_INFINITY : (width ?? Number.POSITIVE_INFINITY);
  const columns = filter ?? (wide ? allColumnsOf(api.response, rows) : usualColumnsOf(key, rows));
  let table = tableOf(columns, rows);
  // of the fields that nobody asked for, the last ones make way where there is no room for all
  while (filter === undefined && table.columns.length > 2 && readableWidth(table) > room) {
    table = tableOf(table.columns.slice(0, -1), rows);
  }
  return formatTable(table, room) + footer;
}

function tableOf(columns: readonly string[], rows: readonly JsonObject[]): Table {
  const indexesOf = (holds: (column: string) => boolean) =>
    new Set(columns.keys().filter((index) => holds(columns[index]!)));
  return {
    columns,
    rows: rows.map((row) => columns.map((path) => tableCell(path, valueAt(row, path)))),
    numeric: indexesOf((column) => isNumeric(rows, column)),
    whole: indexesOf(staysWhole),
    prose: indexesOf((column) => /^(description|displaytext)$/i.test(column)),
  };
}

/** An id that is cut, or a time, is good for nothing. */
function staysWhole(column: string): boolean {
  return /^(id|jobid|created|completed)$/i.test(column);
}

/** Sizes are for reading in a table; the bytes are in every other output. */
function tableCell(path: string, value: unknown): string {
  const isBytes = /^(size|physicalsize|virtualsize|disksize(total|used|allocated))$/i.test(path);
  return isBytes && typeof value === 'number' ? formatBytes(value) : cellText(value);
}

function isBareSuccess(row: JsonObject): boolean {
  return Object.keys(row).length === 1 && String(row['success']) === 'true';
}

function isNumeric(rows: readonly JsonObject[], path: string): boolean {
  const values = rows.map((row) => valueAt(row, path)).filter((value) => value !== undefined);
  return values.length > 0 && values.every((value) => typeof value === 'number');
}

function countLine(count: number, shown: number): string {
  return count > shown ? `count = ${shown} of ${count}\n` : `count = ${shown}\n`;
}
