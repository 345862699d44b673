import { Flex, Form, Input, Select, Table } from 'antd';
import type { Domain, Role, RolePermission } from '../api/entities.ts';
import { useRows } from '../api/queries.ts';
import { text } from '../text/en.ts';
import { AskButton } from '../ui/ask-button.tsx';
import { FormDialog } from '../ui/form-dialog.tsx';
import { ListTable } from '../ui/list-table.tsx';
import { Page } from '../ui/page.tsx';

const t = text.accounts;
const required = [{ required: true, message: text.register.required }];

/** The tree of tenants. */
export function Domains() {
  return (
    <Page title={t.domains} note={t.domainsNote} actions={<NewDomain />}>
      <ListTable<Domain>
        command="listDomains"
        params={{ listall: true }}
        label={t.domains}
        rowKey={(domain) => domain.id ?? ''}
        columns={[
          { title: t.path, dataIndex: 'path' },
          { title: t.instances, dataIndex: 'vmtotal' },
          { title: t.volumes, dataIndex: 'volumetotal' },
          { title: t.images, dataIndex: 'templatetotal' },
          {
            title: text.keys.action,
            render: (_: unknown, { id, name = '', level }) =>
              level === 0 ? null : (
                <AskButton
                  action={t.remove}
                  command="deleteDomain"
                  params={{ id }}
                  name={name}
                  warning={t.removeDomainNote}
                />
              ),
          },
        ]}
      />
    </Page>
  );
}

function NewDomain() {
  const domains = useRows<Domain>('listDomains', { listall: true, page: 1, pagesize: 500 }, { live: false });
  const rows = domains.data?.rows ?? [];
  if (rows.length === 0) return null;
  return (
    <FormDialog<{ readonly name?: string; readonly parentdomainid?: string }>
      primary
      title={t.createDomain}
      command="createDomain"
      initial={{ parentdomainid: rows[0]?.id ?? '' }}
      params={(fields) => ({ ...fields })}
    >
      <Form.Item name="name" label={t.name} rules={required}>
        <Input autoFocus spellCheck={false} />
      </Form.Item>
      <Form.Item name="parentdomainid" label={t.above} rules={required}>
        <Select options={rows.map(({ id, path }) => ({ value: id ?? '', label: path }))} />
      </Form.Item>
    </FormDialog>
  );
}

/** Roles with their rules: the first that fits decides. */
export function Roles({ session }: { readonly session: { readonly isAdmin: boolean } }) {
  return (
    <Page title={t.roles} note={t.rolesNote} actions={session.isAdmin && <NewRole />}>
      <ListTable<Role>
        command="listRoles"
        label={t.roles}
        rowKey={(role) => role.id ?? ''}
        columns={[
          { title: t.name, dataIndex: 'name' },
          { title: t.type, dataIndex: 'type' },
          { title: t.rules, render: (_: unknown, role) => <Rules role={role} isAdmin={session.isAdmin} /> },
          {
            title: text.keys.action,
            render: (_: unknown, { id, name = '', isdefault }) =>
              isdefault || !session.isAdmin ? null : (
                <AskButton
                  action={t.remove}
                  command="deleteRole"
                  params={{ id }}
                  name={name}
                  warning={t.removeRoleNote}
                />
              ),
          },
        ]}
      />
    </Page>
  );
}

function NewRole() {
  return (
    <FormDialog<{ readonly name?: string; readonly type?: string; readonly description?: string }>
      primary
      title={t.createRole}
      command="createRole"
      initial={{ type: 'User' }}
      params={(fields) => ({ ...fields })}
    >
      <Form.Item name="name" label={t.name} rules={required}>
        <Input autoFocus />
      </Form.Item>
      <Form.Item name="type" label={t.type} extra={t.typeNote} rules={required}>
        <Select options={['User', 'DomainAdmin', 'Admin'].map((value) => ({ value, label: value }))} />
      </Form.Item>
      <Form.Item name="description" label={t.description}>
        <Input />
      </Form.Item>
    </FormDialog>
  );
}

function Rules({ role, isAdmin }: { readonly role: Role; readonly isAdmin: boolean }) {
  const rules = useRows<RolePermission>('listRolePermissions', { roleid: role.id, page: 1, pagesize: 500 });
  const rows = rules.data?.rows ?? [];
  const own = isAdmin && !role.isdefault;
  return (
    <Flex vertical gap="small">
      <Table<RolePermission>
        aria-label={`${t.rules}: ${role.name}`}
        size="small"
        pagination={false}
        showHeader={false}
        rowKey={(rule) => rule.id ?? ''}
        dataSource={[...rows]}
        locale={{ emptyText: t.noRules }}
        columns={[
          { dataIndex: 'permission', width: 80 },
          { dataIndex: 'rule', render: (rule: string) => <code>{rule}</code> },
          {
            render: (_: unknown, { id, rule = '' }, index) =>
              own && (
                <Flex gap="small">
                  {index > 0 && (
                    <AskButton
                      action={t.earlier}
                      command="updateRolePermission"
                      params={{ roleid: role.id, ruleorder: swapped(rows, index).join(',') }}
                      name={rule}
                    />
                  )}
                  <AskButton action={t.remove} command="deleteRolePermission" params={{ id }} name={rule} />
                </Flex>
              ),
          },
        ]}
      />
      {own && (
        <FormDialog<{ readonly rule?: string; readonly permission?: string }>
          title={t.addRule}
          label={`${t.addRule}: ${role.name}`}
          command="createRolePermission"
          initial={{ permission: 'allow' }}
          params={(fields) => ({ ...fields, roleid: role.id })}
        >
          <Form.Item name="rule" label={t.rule} extra={t.ruleNote} rules={required}>
            <Input autoFocus spellCheck={false} placeholder="list*" />
          </Form.Item>
          <Form.Item name="permission" label={t.permission} rules={required}>
            <Select options={['allow', 'deny'].map((value) => ({ value, label: value }))} />
          </Form.Item>
        </FormDialog>
      )}
    </Flex>
  );
}

/** The rules' IDs with one of them a place earlier. */
function swapped(rows: readonly RolePermission[], index: number): string[] {
  const ids = rows.map(({ id }) => id ?? '');
  const [moved = ''] = ids.splice(index, 1);
  ids.splice(index - 1, 0, moved);
  return ids;
}
