import { Flex, Form, Input, Typography } from 'antd';
import type { User } from '../api/entities.ts';
import { useRows } from '../api/queries.ts';
import type { Session } from '../api/session.ts';
import { NewKeys } from '../pages/accounts.tsx';
import { text } from '../text/en.ts';
import { FormDialog } from '../ui/form-dialog.tsx';

const t = text.accounts;

/** What everybody may change of themselves. */
export function AboutMe({ session }: { readonly session: Session }) {
  const users = useRows<User>('listUsers', { username: session.username }, { live: false });
  const me = users.data?.rows.find(({ account }) => account === session.account);
  if (!me) return null;
  return (
    <Flex vertical gap="small" align="start">
      <Typography.Text strong>{`${me.account} · ${me.rolename}`}</Typography.Text>
      <NewKeys id={me.id ?? ''} name={session.username} />
      <FormDialog<{ readonly password?: string; readonly currentpassword?: string }>
        title={t.changePassword}
        command="updateUser"
        params={(fields) => ({ id: me.id, ...fields })}
      >
        <Form.Item name="currentpassword" label={t.currentPassword} rules={[{ required: true }]}>
          <Input.Password autoComplete="current-password" />
        </Form.Item>
        <Form.Item
          name="password"
          label={t.password}
          extra={t.changeNote}
          rules={[{ required: true, min: 8 }]}
        >
          <Input.Password autoComplete="new-password" />
        </Form.Item>
      </FormDialog>
    </Flex>
  );
}
