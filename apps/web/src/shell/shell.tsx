import {
  AlertOutlined,
  ApartmentOutlined,
  AppstoreOutlined,
  AuditOutlined,
  CloudServerOutlined,
  ClusterOutlined,
  DashboardOutlined,
  DatabaseOutlined,
  DesktopOutlined,
  FileZipOutlined,
  GlobalOutlined,
  HddOutlined,
  HistoryOutlined,
  InboxOutlined,
  KeyOutlined,
  LogoutOutlined,
  MenuOutlined,
  PieChartOutlined,
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
import { type May, useMay } from '../api/permissions.ts';
import { logOut, type Session } from '../api/session.ts';
import { text } from '../text/en.ts';
import { JobTray } from './job-tray.tsx';
import { MyAccount } from './my-account.tsx';

type Item = NonNullable<MenuProps['items']>[number];

interface Entry {
  readonly path: string;
  readonly label: string;
  readonly icon: React.ReactNode;
  /** The command that its page shows; absent: everybody's. */
  readonly command?: string;
  /** Who looks after it: others may call the command for what is theirs, and need no page for it. */
  readonly of?: 'isAdmin' | 'administers';
}

const m = text.menu;
const everywhere: readonly Entry[] = [
  { path: '/', label: m.dashboard, icon: <DashboardOutlined /> },
  { path: '/instances', label: m.instances, icon: <DesktopOutlined />, command: 'listVirtualMachines' },
  { path: '/volumes', label: m.volumes, icon: <HddOutlined />, command: 'listVolumes' },
  { path: '/templates', label: m.templates, icon: <AppstoreOutlined />, command: 'listTemplates' },
  { path: '/isos', label: m.isos, icon: <FileZipOutlined />, command: 'listIsos' },
  { path: '/networks', label: m.networks, icon: <ClusterOutlined />, command: 'listNetworks' },
  { path: '/keys', label: m.keys, icon: <KeyOutlined />, command: 'listSSHKeyPairs' },
];
const admins = { of: 'isAdmin' } as const;
const infrastructure: readonly Entry[] = [
  { path: '/places', label: m.places, icon: <GlobalOutlined />, command: 'listPods', ...admins },
  { path: '/hosts', label: m.hosts, icon: <CloudServerOutlined />, command: 'listHosts', ...admins },
  { path: '/pools', label: m.pools, icon: <DatabaseOutlined />, command: 'listStoragePools', ...admins },
  {
    path: '/image-stores',
    label: m.imageStores,
    icon: <InboxOutlined />,
    command: 'listImageStores',
    ...admins,
  },
  { path: '/capacity', label: m.capacity, icon: <PieChartOutlined />, command: 'listCapacity', ...admins },
  { path: '/alerts', label: m.alerts, icon: <AlertOutlined />, command: 'listAlerts', ...admins },
  {
    path: '/certificates',
    label: m.certificates,
    icon: <SafetyCertificateOutlined />,
    command: 'listTemplateDirectDownloadCertificates',
    ...admins,
  },
  {
    path: '/offerings',
    label: m.offerings,
    icon: <SlidersOutlined />,
    command: 'createServiceOffering',
    ...admins,
  },
  {
    path: '/settings',
    label: m.settings,
    icon: <SettingOutlined />,
    command: 'listConfigurations',
    ...admins,
  },
];
const people: readonly Entry[] = [
  {
    path: '/accounts',
    label: m.accounts,
    icon: <TeamOutlined />,
    command: 'listAccounts',
    of: 'administers',
  },
  { path: '/users', label: m.users, icon: <UserOutlined />, command: 'listUsers', of: 'administers' },
  {
    path: '/domains',
    label: m.domains,
    icon: <ApartmentOutlined />,
    command: 'listDomains',
    of: 'administers',
  },
  { path: '/roles', label: m.roles, icon: <AuditOutlined />, command: 'listRoles', of: 'administers' },
  { path: '/limits', label: m.limits, icon: <DashboardOutlined />, command: 'listResourceLimits' },
];
const history: readonly Entry[] = [
  { path: '/events', label: m.events, icon: <HistoryOutlined />, command: 'listEvents' },
  { path: '/jobs', label: m.jobs, icon: <ScheduleOutlined />, command: 'listAsyncJobs' },
];

function menuOf(session: Session, may: May): Item[] {
  const shown = (entries: readonly Entry[]): Item[] =>
    entries
      .filter(({ command, of }) => (of === undefined || session[of]) && (!command || may(command)))
      .map(({ path, label, icon }) => ({ key: path, icon, label: <Link to={path}>{label}</Link> }));
  const group = (label: string, entries: readonly Entry[]): Item[] => {
    const children = shown(entries);
    return children.length < 2 ? children : [{ key: label, type: 'group', label, children }];
  };
  return [
    ...shown(everywhere),
    ...group(m.infrastructure, infrastructure),
    ...group(m.people, people),
    ...shown(history),
  ];
}

/** What is around every page: menu, jobs, who is logged in. */
export function Shell({ session, onEnd }: { readonly session: Session; readonly onEnd: () => void }) {
  useChanges();
  const may = useMay();
  const { pathname } = useLocation();
  const wide = Grid.useBreakpoint().lg ?? true;
  const [open, setOpen] = useState(false);
  const navigate = useNavigate();
  const selected = `/${pathname.split('/')[1] ?? ''}`;
  const menu = (
    <nav aria-label={text.menu.label}>
      <Menu
        mode="inline"
        items={menuOf(session, may)}
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
          <Typography.Text strong className="wide-only" style={{ fontSize: 18 }}>
            {text.product}
          </Typography.Text>
        </Flex>
        <Flex align="center" gap="small">
          <JobTray />
          <MyAccount session={session} />
          <Button icon={<LogoutOutlined />} aria-label={text.menu.logOut} onClick={() => void leave()}>
            <span className="wide-only">{text.menu.logOut}</span>
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
        <Layout.Content id="content" style={{ minWidth: 0 }} role="main" tabIndex={-1}>
          <Outlet />
        </Layout.Content>
      </Layout>
    </Layout>
  );
}
