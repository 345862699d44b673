import { Link } from '@tanstack/react-router';
import { Card, Col, Flex, Row, Skeleton, Statistic, Typography } from 'antd';
import type { ReactNode } from 'react';
import type { Alert, ApiEvent, AsyncJob, Capacity, VirtualMachine } from '../api/entities.ts';
import { useMay } from '../api/permissions.ts';
import { useRows } from '../api/queries.ts';
import { text } from '../text/en.ts';
import { Failure } from '../ui/failure.tsx';
import { Page } from '../ui/page.tsx';
import { formatRate, formatTime } from '../ui/quantities.ts';
import { Share } from '../ui/share.tsx';
import { StateTag } from '../ui/state-tag.tsx';
import { kindOfCapacity, sumByKind } from './capacity-kinds.ts';
import { Welcome } from './dashboard-welcome.tsx';
import { RunningJobs } from './running-jobs.tsx';

const t = text.dashboard;
/** How many rows of what happens a card shows; the pages have the others. */
const few = 5;
const jobsShown = 10;
/** A row is enough to be told how many there are. */
const countOnly = { page: 1, pagesize: 1 } as const;

export function Dashboard() {
  const may = useMay();
  const instances = useRows<VirtualMachine>('listVirtualMachines', { listall: true, ...countOnly });
  return (
    <Page title={t.title}>
      <Failure error={instances.error} retry={() => void instances.refetch()} />
      {instances.data?.count === 0 && may('deployVirtualMachine') && <Welcome />}
      <Row gutter={[16, 16]}>
        <Part title={t.states}>
          <Counts
            command="listVirtualMachines"
            path="/instances"
            params={{ listall: true }}
            states={['Running', 'Stopped', 'Starting', 'Stopping', 'Migrating', 'Error', 'Destroyed']}
            none={text.instances.empty}
          />
        </Part>
        {may('listHosts') && (
          <Part title={t.hosts}>
            <Counts
              command="listHosts"
              path="/hosts"
              params={{ type: 'Routing' }}
              states={['Up', 'Connecting', 'Disconnected', 'Alert', 'Down']}
              none={text.hosts.empty}
            />
          </Part>
        )}
        {may('listCapacity') && (
          <Part title={<Link to="/capacity">{text.capacity.title}</Link>}>
            <Capacities />
          </Part>
        )}
        <Part title={t.transfers}>
          <Running />
        </Part>
        <Part title={t.failures}>
          <Failures />
        </Part>
        {may('listAlerts') && (
          <Part title={<Link to="/alerts">{text.alerts.title}</Link>}>
            <LatestAlerts />
          </Part>
        )}
      </Row>
    </Page>
  );
}

function Part({ title, children }: { readonly title: ReactNode; readonly children: ReactNode }) {
  return (
    <Col xs={24} lg={12} xxl={8}>
      <Card title={title} style={{ height: '100%' }}>
        {children}
      </Card>
    </Col>
  );
}

interface CountsProps {
  readonly command: string;
  readonly path: string;
  readonly params: Readonly<Record<string, string | boolean>>;
  readonly states: readonly string[];
  readonly none: string;
}

/** How many there are in each state: counted by the server, however many they are. */
function Counts(props: CountsProps) {
  const all = useRows<object>(props.command, { ...props.params, ...countOnly });
  if (all.isPending) return <Skeleton active />;
  if (all.data?.count === 0) return <Typography.Text type="secondary">{props.none}</Typography.Text>;
  return (
    <Flex gap="large" wrap>
      {props.states.map((state) => (
        <Count key={state} {...props} state={state} />
      ))}
    </Flex>
  );
}

function Count({ command, path, params, state }: CountsProps & { readonly state: string }) {
  const { data } = useRows<object>(command, { ...params, state, ...countOnly });
  const count = data?.count ?? 0;
  if (count === 0) return null;
  return (
    <Link to={path} search={{ state }}>
      <Statistic title={<StateTag state={state} />} value={count} />
    </Link>
  );
}

function Capacities() {
  const { data, error } = useRows<Capacity>('listCapacity', { page: 1, pagesize: 500 });
  if (error) return <Failure error={error} />;
  if (!data) return <Skeleton active />;
  return (
    <Flex vertical gap="small">
      {sumByKind(data.rows)
        .filter(({ capacitytotal = 0 }) => capacitytotal > 0)
        .map((row) => {
          const { name, format } = kindOfCapacity(row);
          return (
            <Share
              key={row.type}
              label={name}
              used={row.capacityused}
              total={row.capacitytotal}
              format={format}
            />
          );
        })}
    </Flex>
  );
}

function Running() {
  const { data } = useRows<AsyncJob>('listAsyncJobs', {
    listall: true,
    jobstatus: 0,
    page: 1,
    pagesize: jobsShown,
  });
  const jobs = data?.rows ?? [];
  const rate = jobs.reduce((sum, { jobprogress }) => sum + rateOf(jobprogress), 0);
  if (jobs.length === 0) return <Typography.Text type="secondary">{t.noTransfers}</Typography.Text>;
  return (
    <Flex vertical gap="middle">
      <output aria-live="polite">{t.together(data?.count ?? jobs.length, formatRate(rate))}</output>
      <RunningJobs jobs={jobs} />
      {(data?.count ?? 0) > jobs.length && <Link to="/jobs">{t.allJobs}</Link>}
    </Flex>
  );
}

function rateOf(progress: unknown): number {
  const { bytespersecond } = (progress ?? {}) as { readonly bytespersecond?: unknown };
  return typeof bytespersecond === 'number' ? bytespersecond : 0;
}

function Failures() {
  const { data } = useRows<ApiEvent>('listEvents', { listall: true, level: 'ERROR', page: 1, pagesize: few });
  const rows = data?.rows ?? [];
  if (rows.length === 0) return <Typography.Text type="secondary">{t.noFailures}</Typography.Text>;
  return (
    <Happenings
      rows={rows.map(({ id, created, type, description, resourceid, resourcetype, resourcename }) => ({
        id: id ?? '',
        title: `${formatTime(created)} · ${type}`,
        description: description ?? '',
        link: pageOf(resourcetype, resourceid),
        name: resourcename ?? text.jobs.show,
      }))}
    />
  );
}

function pageOf(type: string | undefined, id: string | undefined): string | undefined {
  const paths: Readonly<Record<string, string>> = {
    VirtualMachine: '/instances',
    Template: '/templates',
    Iso: '/isos',
  };
  const path = paths[type ?? ''];
  return path && id ? `${path}/${id}` : undefined;
}

function LatestAlerts() {
  const { data } = useRows<Alert>('listAlerts', { page: 1, pagesize: few });
  const rows = data?.rows ?? [];
  if (rows.length === 0) return <Typography.Text type="secondary">{text.alerts.empty}</Typography.Text>;
  return (
    <Happenings
      rows={rows.map(({ id, sent, name, description }) => ({
        id: id ?? '',
        title: `${formatTime(sent)} · ${name}`,
        description: description ?? '',
      }))}
    />
  );
}

interface Happening {
  readonly id: string;
  readonly title: string;
  readonly description: string;
  readonly link?: string | undefined;
  readonly name?: string;
}

function Happenings({ rows }: { readonly rows: readonly Happening[] }) {
  return (
    <ul className="happenings">
      {rows.map(({ id, title, description, link, name }) => (
        <li key={id}>
          <strong>{title}</strong>
          <div className="prose">{description}</div>
          {link && <Link to={link}>{name}</Link>}
        </li>
      ))}
    </ul>
  );
}
