import { Flex, Form, Input, Select, Typography } from 'antd';
import { isObject, type JsonObject } from '../api/call.ts';
import type { Account, Domain, Role, User } from '../api/entities.ts';
import { useRows } from '../api/queries.ts';
import { text } from '../text/en.ts';
import { AskButton } from '../ui/ask-button.tsx';
import { FormDialog } from '../ui/form-dialog.tsx';
import { ListTable } from '../ui/list-table.tsx';
import { Page } from '../ui/page.tsx';
import { StateTag } from '../ui/state-tag.tsx';

const t = text.accounts;
const required = [{ required: true, message: text.register.required }];
const once = { live: false };
const everybody = { listall: true };

interface Person {
  readonly username?: string;
  readonly firstname?: string;
  readonly lastname?: string;
  readonly email?: string;
  readonly password?: string;
}

/** Accounts: who owns instances, templates and disks. */
export function Accounts() {
  return (
    <Page title={t.title} note={t.note} actions={<NewAccount />}>
      <ListTable<Account>
        command="listAccounts"
        params={everybody}
        label={t.title}
        rowKey={(account) => account.id ?? ''}
        columns={[
          { title: t.name, dataIndex: 'name' },
          { title: t.domain, dataIndex: 'domainpath' },
          { title: t.role, dataIndex: 'rolename' },
          { title: t.state, render: (_: unknown, { state = '' }) => <StateTag state={state} /> },
          { title: t.instances, render: (_: unknown, row) => `${row.vmrunning ?? 0} / ${row.vmtotal ?? 0}` },
          { title: t.volumes, dataIndex: 'volumetotal' },
          { title: t.images, dataIndex: 'templatetotal' },
          { title: text.keys.action, render: (_: unknown, account) => <AccountActions account={account} /> },
        ]}
      />
    </Page>
  );
}

function AccountActions({ account }: { readonly account: Account }) {
  const { id, name = '', state } = account;
  return (
    <Flex gap="small" wrap>
      {state === 'enabled' ? (
        <AskButton
          action={t.disable}
          command="disableAccount"
          params={{ id, lock: false }}
          name={name}
          warning={t.disableNote}
        />
      ) : (
        <AskButton action={t.enable} command="enableAccount" params={{ id }} name={name} />
      )}
      <AskButton
        action={t.remove}
        command="deleteAccount"
        params={{ id }}
        name={name}
        warning={t.removeNote}
      />
    </Flex>
  );
}

function NewAccount() {
  const domains = useRows<Domain>('listDomains', { listall: true, page: 1, pagesize: 500 }, once);
  const roles = useRows<Role>('listRoles', { page: 1, pagesize: 500 }, once);
  const [root] = domains.data?.rows ?? [];
  const usual = roles.data?.rows.find(({ name }) => name === 'User');
  if (!root || !usual) return null;
  return (
    <FormDialog<Person & { readonly account?: string; readonly domainid?: string; readonly roleid?: string }>
      primary
      title={t.create}
      command="createAccount"
      initial={{ domainid: root.id ?? '', roleid: usual.id ?? '' }}
      params={(fields) => ({ ...fields })}
    >
      <PersonFields />
      <Form.Item name="account" label={t.account} extra={t.accountNote}>
        <Input spellCheck={false} />
      </Form.Item>
      <Form.Item name="domainid" label={t.domain} rules={required}>
        <Select
          options={(domains.data?.rows ?? []).map(({ id, path }) => ({ value: id ?? '', label: path }))}
        />
      </Form.Item>
      <Form.Item name="roleid" label={t.role} rules={required}>
        <Select
          options={(roles.data?.rows ?? []).map(({ id, name }) => ({ value: id ?? '', label: name }))}
        />
      </Form.Item>
    </FormDialog>
  );
}

function PersonFields() {
  return (
    <>
      <Form.Item name="username" label={t.username} rules={required}>
        <Input autoFocus spellCheck={false} autoComplete="off" />
      </Form.Item>
      <Form.Item name="firstname" label={t.firstname} rules={required}>
        <Input />
      </Form.Item>
      <Form.Item name="lastname" label={t.lastname} rules={required}>
        <Input />
      </Form.Item>
      <Form.Item name="email" label={t.email} rules={required}>
        <Input type="email" />
      </Form.Item>
      <PasswordField />
    </>
  );
}

function PasswordField() {
  return (
    <Form.Item name="password" label={t.password} extra={t.passwordNote} rules={[{ required: true, min: 8 }]}>
      <Input.Password autoComplete="new-password" />
    </Form.Item>
  );
}

/** Users: who logs in, each for one account. */
export function Users() {
  return (
    <Page title={t.users} note={t.usersNote} actions={<NewUser />}>
      <ListTable<User>
        command="listUsers"
        params={everybody}
        label={t.users}
        rowKey={(user) => user.id ?? ''}
        columns={[
          { title: t.username, dataIndex: 'username' },
          { title: t.account, dataIndex: 'account' },
          { title: t.domain, dataIndex: 'domain' },
          { title: t.role, dataIndex: 'rolename' },
          { title: t.email, dataIndex: 'email' },
          { title: t.state, render: (_: unknown, { state = '' }) => <StateTag state={state} /> },
          { title: text.keys.action, render: (_: unknown, user) => <UserActions user={user} /> },
        ]}
      />
    </Page>
  );
}

function UserActions({ user }: { readonly user: User }) {
  const { id, username = '', state } = user;
  return (
    <Flex gap="small" wrap>
      <NewKeys id={id ?? ''} name={username} />
      <FormDialog<{ readonly password?: string }>
        title={t.setPassword}
        label={`${t.setPassword}: ${username}`}
        command="updateUser"
        params={({ password }) => ({ id, password })}
      >
        <PasswordField />
      </FormDialog>
      {state === 'enabled' ? (
        <AskButton
          action={t.disable}
          command="disableUser"
          params={{ id }}
          name={username}
          warning={t.disableUserNote}
        />
      ) : (
        <AskButton action={t.enable} command="enableUser" params={{ id }} name={username} />
      )}
      <AskButton
        action={t.remove}
        command="deleteUser"
        params={{ id }}
        name={username}
        warning={t.removeUserNote}
      />
    </Flex>
  );
}

/** New API keys of a user, shown once. */
export function NewKeys({ id, name }: { readonly id: string; readonly name: string }) {
  return (
    <FormDialog<object>
      title={t.newKeys}
      label={`${t.newKeys}: ${name}`}
      command="registerUserKeys"
      params={() => ({ id })}
      answer={(answer) => <Keys answer={answer} />}
    >
      <Typography.Paragraph>{t.newKeysNote}</Typography.Paragraph>
    </FormDialog>
  );
}

function Keys({ answer }: { readonly answer: JsonObject }) {
  const keys = isObject(answer['userkeys']) ? answer['userkeys'] : {};
  return (
    <>
      <Typography.Paragraph>{t.keysOnce}</Typography.Paragraph>
      {(['apikey', 'secretkey'] as const).map((name) => (
        <Typography.Paragraph key={name} copyable={{ text: String(keys[name] ?? '') }} className="prose">
          {name} <code>{String(keys[name] ?? '')}</code>
        </Typography.Paragraph>
      ))}
    </>
  );
}

function NewUser() {
  const accounts = useRows<Account>('listAccounts', { listall: true, page: 1, pagesize: 500 }, once);
  const rows = accounts.data?.rows ?? [];
  if (rows.length === 0) return null;
  return (
    <FormDialog<Person & { readonly accountid?: string }>
      primary
      title={t.createUser}
      command="createUser"
      params={({ accountid, ...fields }) => {
        const account = rows.find(({ id }) => id === accountid);
        return { ...fields, account: account?.name, domainid: account?.domainid };
      }}
    >
      <Form.Item name="accountid" label={t.account} rules={required}>
        <Select
          options={rows.map(({ id, name, domainpath }) => ({
            value: id ?? '',
            label: `${name} (${domainpath})`,
          }))}
        />
      </Form.Item>
      <PersonFields />
    </FormDialog>
  );
}
