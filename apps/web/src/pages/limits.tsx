import { useNavigate, useSearch } from '@tanstack/react-router';
import { Flex, Form, InputNumber, Select, Table } from 'antd';
import { useState } from 'react';
import type { Account, ResourceLimit } from '../api/entities.ts';
import { useMay } from '../api/permissions.ts';
import { useOne, useRows } from '../api/queries.ts';
import type { Session } from '../api/session.ts';
import { text } from '../text/en.ts';
import { Failure } from '../ui/failure.tsx';
import { FormDialog } from '../ui/form-dialog.tsx';
import { Page } from '../ui/page.tsx';
import { Scroller } from '../ui/scroller.tsx';

const t = text.limits;
const unlimited = -1;

/** CloudStack's numbers of what is limited here, and how much of it an account has. */
const kinds: Readonly<
  Record<string, { readonly name: string; readonly has: (account: Account) => number | undefined }>
> = {
  0: { name: t.instances, has: ({ vmtotal }) => vmtotal },
  2: { name: t.volumes, has: ({ volumetotal }) => volumetotal },
  4: { name: t.images, has: ({ templatetotal }) => templatetotal },
  8: { name: t.cpus, has: ({ cputotal }) => cputotal },
  9: { name: t.memory, has: ({ memorytotal }) => memorytotal },
  10: { name: t.storage, has: ({ primarystoragetotal }) => primarystoragetotal },
};

/** How much an account may have, and has. */
export function Limits({ session }: { readonly session: Session }) {
  const { accountid } = useSearch({ strict: false }) as { readonly accountid?: string };
  const navigate = useNavigate();
  const [keyword, setKeyword] = useState('');
  const accounts = useRows<Account>(
    'listAccounts',
    { listall: session.administers, keyword, page: 1, pagesize: 50 },
    { live: false },
  );
  const own = accounts.data?.rows.find(({ name }) => name === session.account);
  const chosen = accountid ?? own?.id ?? accounts.data?.rows[0]?.id;
  return (
    <Page title={t.title} note={t.note}>
      {session.administers && (
        <Select
          showSearch={{ filterOption: false, onSearch: setKeyword }}
          aria-label={t.account}
          style={{ width: 'min(320px, 100%)' }}
          value={chosen ?? null}
          options={(accounts.data?.rows ?? []).map(({ id, name, domainpath }) => ({
            value: id ?? '',
            label: `${name} (${domainpath})`,
          }))}
          onChange={(value: string) =>
            void navigate({ to: '.', search: { accountid: value }, replace: true })
          }
        />
      )}
      <Failure error={accounts.error} />
      {chosen && <LimitsOf id={chosen} />}
    </Page>
  );
}

function LimitsOf({ id }: { readonly id: string }) {
  const { data: account } = useOne<Account>('listAccounts', id, { listall: true });
  const whose = { account: account?.name, domainid: account?.domainid };
  const limits = useRows<ResourceLimit>('listResourceLimits', whose, { enabled: Boolean(account) });
  const may = useMay();
  const rows = (limits.data?.rows ?? []).filter(({ resourcetype = '' }) => resourcetype in kinds);
  return (
    <Flex vertical gap="small">
      <Failure error={limits.error} />
      <Scroller label={t.title}>
        <Table<ResourceLimit>
          aria-label={t.title}
          size="middle"
          pagination={false}
          loading={limits.isPending}
          rowKey={({ resourcetype }) => resourcetype ?? ''}
          dataSource={rows}
          columns={[
            { title: t.kind, render: (_: unknown, row) => kindOf(row)?.name },
            {
              title: t.has,
              render: (_: unknown, row) => (account ? (kindOf(row)?.has(account) ?? '–') : '–'),
            },
            {
              title: t.most,
              render: (_: unknown, { max }) => (max === undefined || max === unlimited ? t.any : max),
            },
            ...(may('updateResourceLimit')
              ? [
                  {
                    title: text.keys.action,
                    render: (_: unknown, row: ResourceLimit) => <Edit row={row} whose={whose} />,
                  },
                ]
              : []),
          ]}
        />
      </Scroller>
    </Flex>
  );
}

const kindOf = ({ resourcetype = '' }: ResourceLimit) => kinds[resourcetype];

function Edit(props: {
  readonly row: ResourceLimit;
  readonly whose: { readonly account: string | undefined; readonly domainid: string | undefined };
}) {
  const { row, whose } = props;
  return (
    <FormDialog<{ readonly max?: number }>
      title={text.settings.edit}
      label={`${text.settings.edit}: ${kindOf(row)?.name}`}
      command="updateResourceLimit"
      initial={{ max: row.max ?? unlimited }}
      params={({ max }) => ({ ...whose, resourcetype: row.resourcetype, max })}
    >
      <Form.Item name="max" label={t.most} extra={t.mostNote}>
        <InputNumber autoFocus min={unlimited} style={{ width: 200 }} />
      </Form.Item>
    </FormDialog>
  );
}
