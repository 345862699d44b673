import { DownloadOutlined } from '@ant-design/icons';
import { useNavigate, useSearch } from '@tanstack/react-router';
import { Button, Dropdown, Flex, Input, Table } from 'antd';
import { type ReactNode, useState } from 'react';
import { list, type Params } from '../api/call.ts';
import { useRows } from '../api/queries.ts';
import { text } from '../text/en.ts';
import { csvOf, download } from './export.ts';
import { Failure } from './failure.tsx';
import { ColumnChoice, type ListColumn, useColumnChoice } from './list-columns.tsx';
import { Scroller } from './scroller.tsx';

/** What a list remembers in the URL, so that it can be sent to somebody. */
export interface ListSearch {
  readonly page?: number;
  readonly pagesize?: number;
  readonly keyword?: string;
  /** As the server takes it: a word, with - before it the other way round. */
  readonly sort?: string | undefined;
}

const usualPageSize = 20;
/** The most rows the API gives at once. */
const exportPageSize = 500;

/** A list of the API: paged, ordered and searched by the server, asked for again while it is looked at. Never more than a page. */
export function ListTable<T extends object>(props: {
  readonly command: string;
  readonly params?: Params;
  readonly columns: readonly ListColumn<T>[];
  readonly rowKey: (row: T) => string;
  readonly label: string;
  readonly filters?: ReactNode;
  readonly empty?: ReactNode;
  readonly searchable?: boolean;
  /** What can be done with several rows at once. */
  readonly bulk?: (rows: readonly T[], done: () => void) => ReactNode;
}) {
  const search = useSearch({ strict: false }) as ListSearch;
  const navigate = useNavigate();
  const { page = 1, pagesize = usualPageSize, keyword = '', sort } = search;
  const choice = useColumnChoice(props.command, props.columns);
  const [chosen, setChosen] = useState<readonly string[]>([]);
  const params = { ...props.params, keyword, sortby: sort };
  const rows = useRows<T>(props.command, { ...params, page, pagesize });
  const remember = (changes: ListSearch) =>
    void navigate({ to: '.', search: (old: object) => ({ ...old, ...changes }), replace: true });
  const everything = async (): Promise<readonly T[]> => {
    const all: T[] = [];
    for (let at = 1; ; at++) {
      const part = await list<T>(props.command, { ...params, page: at, pagesize: exportPageSize });
      all.push(...part.rows);
      if (all.length >= part.count || part.rows.length === 0) return all;
    }
  };
  const save = (kind: 'csv' | 'json', write: (all: readonly T[]) => string) => ({
    key: kind,
    label: kind.toUpperCase(),
    onClick: () => void everything().then((all) => download(`${props.command}.${kind}`, write(all))),
  });
  const exports = [save('csv', csvOf), save('json', (all) => JSON.stringify(all, undefined, 2))];
  const selected = (rows.data?.rows ?? []).filter((row) => chosen.includes(props.rowKey(row)));
  const direction = sort?.startsWith('-') ? 'descend' : 'ascend';
  return (
    <Flex vertical gap="small">
      <Flex gap="small" wrap justify="space-between">
        <Flex gap="small" wrap>
          {props.searchable !== false && (
            <Input.Search
              allowClear
              defaultValue={keyword}
              placeholder={text.list.search}
              aria-label={`${text.list.search}: ${props.label}`}
              onSearch={(value) => remember({ keyword: value.trim(), page: 1 })}
              style={{ width: 280 }}
            />
          )}
          {props.filters}
        </Flex>
        <Flex gap="small">
          <ColumnChoice
            label={props.label}
            titles={props.columns.map(({ title }) => title)}
            shown={choice.shown}
            choose={choice.choose}
          />
          <Dropdown menu={{ items: exports }} trigger={['click']}>
            <Button icon={<DownloadOutlined />}>{text.list.export}</Button>
          </Dropdown>
        </Flex>
      </Flex>
      {props.bulk && selected.length > 0 && (
        <Flex gap="small" wrap align="center">
          <output aria-live="polite">{text.list.selected(selected.length)}</output>
          {props.bulk(selected, () => setChosen([]))}
        </Flex>
      )}
      <Failure error={rows.error} retry={() => void rows.refetch()} />
      <Scroller label={props.label}>
        <Table<T>
          aria-label={props.label}
          size="middle"
          // it would lie over the buttons above; the head of the column says how it is sorted
          showSorterTooltip={false}
          columns={props.columns
            .filter(({ title }) => choice.shown.includes(title))
            .map(({ sortBy, optional: _, ...column }) =>
              sortBy === undefined
                ? { key: column.title, ...column }
                : {
                    key: column.title,
                    ...column,
                    sorter: true,
                    sortOrder: sort?.replace('-', '') === sortBy ? direction : null,
                  },
            )}
          rowKey={props.rowKey}
          {...(props.bulk
            ? {
                rowSelection: {
                  selectedRowKeys: [...chosen],
                  onChange: (keys: readonly React.Key[]) => setChosen(keys.map(String)),
                  columnTitle: (checkbox: ReactNode) => checkbox,
                  getCheckboxProps: (row: T) => ({ 'aria-label': text.list.select(nameOf(row)) }),
                },
              }
            : {})}
          onChange={(_pages, _filters, sorter, { action }) => {
            if (action !== 'sort' || Array.isArray(sorter)) return;
            const by = props.columns.find(({ title }) => title === sorter.columnKey)?.sortBy;
            const order = sorter.order === 'descend' ? `-${by}` : by;
            remember({ sort: sorter.order ? order : undefined, page: 1 });
          }}
          dataSource={rows.data?.rows ?? []}
          loading={rows.isPending}
          locale={{ emptyText: props.empty ?? text.list.empty }}
          pagination={{
            current: page,
            pageSize: pagesize,
            total: rows.data?.count ?? 0,
            showSizeChanger: true,
            pageSizeOptions: [10, 20, 50, 100, 500],
            showTotal: (total, [from, to]) => text.list.range(from, to, total),
            onChange: (next, size) => remember({ page: next, pagesize: size }),
          }}
        />
      </Scroller>
    </Flex>
  );
}

function nameOf(row: object): string {
  const { displayname, name, id } = row as { displayname?: unknown; name?: unknown; id?: unknown };
  return String(displayname ?? name ?? id ?? '');
}
