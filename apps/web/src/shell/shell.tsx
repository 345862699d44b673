import {
  ApartmentOutlined,
  AppstoreOutlined,
  AuditOutlined,
  CloudServerOutlined,
  DashboardOutlined,
  DatabaseOutlined,
  DesktopOutlined,
  FileZipOutlined,
  HistoryOutlined,
  KeyOutlined,
  LogoutOutlined,
  MenuOutlined,
  SafetyCertificateOutlined,
  ScheduleOutlined,
  SettingOutlined,
  SlidersOutlined,
  TeamOutlined,
  UserOutlined,
} from '@ant-design/icons';
import { Link, Outlet, useLocation, useNavigate } from '@tanstack/react-router';
import { Button, Drawer, Flex, Grid, Layout, Menu, type MenuProps, Typography } from 'antd';
import { useState } from 'react';
import { useChanges } from '../api/changes.ts';
import { logOut, type Session } from '../api/session.ts';
import { text } from '../text/en.ts';
import { JobTray } from './job-tray.tsx';
import { MyAccount } from './my-account.tsx';

type Item = NonNullable<MenuProps['items']>[number];

const entry = (path: string, label: string, icon: React.ReactNode): Item => ({
  key: path,
  icon,
  label: <Link to={path}>{label}</Link>,
});

function menuOf({ isAdmin, administers }: Session): Item[] {
  const { menu } = text;
  return [
    entry('/', menu.dashboard, <DashboardOutlined />),
    entry('/instances', menu.instances, <DesktopOutlined />),
    entry('/templates', menu.templates, <AppstoreOutlined />),
    entry('/isos', menu.isos, <FileZipOutlined />),
    entry('/keys', menu.keys, <KeyOutlined />),
    ...(isAdmin
      ? [
          entry('/hosts', menu.hosts, <CloudServerOutlined />),
          entry('/pools', menu.pools, <DatabaseOutlined />),
          entry('/certificates', menu.certificates, <SafetyCertificateOutlined />),
          entry('/offerings', menu.offerings, <SlidersOutlined />),
        ]
      : []),
    ...(administers
      ? [
          entry('/accounts', menu.accounts, <TeamOutlined />),
          entry('/users', menu.users, <UserOutlined />),
          entry('/domains', menu.domains, <ApartmentOutlined />),
          entry('/roles', menu.roles, <AuditOutlined />),
        ]
      : []),
    entry('/events', menu.events, <HistoryOutlined />),
    entry('/jobs', menu.jobs, <ScheduleOutlined />),
    ...(isAdmin ? [entry('/settings', menu.settings, <SettingOutlined />)] : []),
  ];
}

/** What is around every page: menu, jobs, who is logged in. */
export function Shell({ session, onEnd }: { readonly session: Session; readonly onEnd: () => void }) {
  useChanges();
  const { pathname } = useLocation();
  const wide = Grid.useBreakpoint().lg ?? true;
  const [open, setOpen] = useState(false);
  const navigate = useNavigate();
  const selected = `/${pathname.split('/')[1] ?? ''}`;
  const menu = (
    <nav aria-label={text.menu.label}>
      <Menu
        mode="inline"
        items={menuOf(session)}
        selectedKeys={[selected]}
        onClick={() => setOpen(false)}
        style={{ borderInlineEnd: 0 }}
      />
    </nav>
  );
  const leave = async () => {
    await logOut().catch(() => {});
    onEnd();
    void navigate({ to: '/' });
  };
  return (
    <Layout style={{ minHeight: '100vh' }}>
      <a href="#content" className="skip">
        {text.menu.skip}
      </a>
      <Layout.Header className="bar">
        <Flex align="center" gap="small">
          {!wide && (
            <Button icon={<MenuOutlined />} aria-label={text.menu.menu} onClick={() => setOpen(true)} />
          )}
          <img src="/millrace.svg" alt="" width={28} height={28} />
          <Typography.Text strong style={{ fontSize: 18 }}>
            {text.product}
          </Typography.Text>
        </Flex>
        <Flex align="center" gap="middle">
          <JobTray />
          <MyAccount session={session} />
          <Button icon={<LogoutOutlined />} onClick={() => void leave()}>
            {text.menu.logOut}
          </Button>
        </Flex>
      </Layout.Header>
      <Layout>
        {wide ? (
          <Layout.Sider width={220} theme="light">
            {menu}
          </Layout.Sider>
        ) : (
          <Drawer open={open} onClose={() => setOpen(false)} placement="left" size={260} title={text.product}>
            {menu}
          </Drawer>
        )}
        <Layout.Content id="content" style={{ padding: 24, minWidth: 0 }} role="main" tabIndex={-1}>
          <Outlet />
        </Layout.Content>
      </Layout>
    </Layout>
  );
}
