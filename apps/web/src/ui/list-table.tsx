import { DownloadOutlined } from '@ant-design/icons';
import { useNavigate, useSearch } from '@tanstack/react-router';
import { Button, Dropdown, Flex, Input, Table, type TableColumnsType } from 'antd';
import type { ReactNode } from 'react';
import { list, type Params } from '../api/call.ts';
import { useRows } from '../api/queries.ts';
import { text } from '../text/en.ts';
import { csvOf, download } from './export.ts';
import { Failure } from './failure.tsx';
import { Scroller } from './scroller.tsx';

/** What a list remembers in the URL, so that it can be sent to somebody. */
export interface ListSearch {
  readonly page?: number;
  readonly pagesize?: number;
  readonly keyword?: string;
}

const usualPageSize = 20;
/** The most rows the API gives at once. */
const exportPageSize = 500;

/** A list of the API: paged and searched by the server, asked for again while it is looked at. */
export function ListTable<T extends object>(props: {
  readonly command: string;
  readonly params?: Params;
  readonly columns: TableColumnsType<T>;
  readonly rowKey: (row: T) => string;
  readonly label: string;
  readonly filters?: ReactNode;
  readonly empty?: ReactNode;
  readonly searchable?: boolean;
}) {
  const search = useSearch({ strict: false }) as ListSearch;
  const navigate = useNavigate();
  const { page = 1, pagesize = usualPageSize, keyword = '' } = search;
  const params = { ...props.params, keyword };
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
  const exports = [
    {
      key: 'csv',
      label: 'CSV',
      onClick: () => void everything().then((all) => download(`${props.command}.csv`, csvOf(all))),
    },
    {
      key: 'json',
      label: 'JSON',
      onClick: () =>
        void everything().then((all) => download(`${props.command}.json`, JSON.stringify(all, undefined, 2))),
    },
  ];
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
        <Dropdown menu={{ items: exports }} trigger={['click']}>
          <Button icon={<DownloadOutlined />}>{text.list.export}</Button>
        </Dropdown>
      </Flex>
      <Failure error={rows.error} retry={() => void rows.refetch()} />
      <Scroller label={props.label}>
        <Table<T>
          aria-label={props.label}
          size="middle"
          columns={props.columns}
          rowKey={props.rowKey}
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
