import { Link } from '@tanstack/react-router';
import { Card, Col, Flex, List, Progress, Row, Statistic, Steps, Typography } from 'antd';
import type { ApiEvent, AsyncJob, Host, StoragePool, VirtualMachine } from '../api/entities.ts';
import { useRows } from '../api/queries.ts';
import type { Session } from '../api/session.ts';
import { text } from '../text/en.ts';
import { Failure } from '../ui/failure.tsx';
import { Page } from '../ui/page.tsx';
import { formatBytes, formatGibibytes, formatTime } from '../ui/quantities.ts';
import { StateTag } from '../ui/state-tag.tsx';
import { RunningJobs } from './jobs.tsx';

const shown = 500;

export function Dashboard({ session }: { readonly session: Session }) {
  const instances = useRows<VirtualMachine>('listVirtualMachines', { page: 1, pagesize: shown });
  const total = instances.data?.count ?? 0;
  return (
    <Page title={text.dashboard.title}>
      <Failure error={instances.error} retry={() => void instances.refetch()} />
      {instances.data && total === 0 && <Welcome />}
      <Row gutter={[16, 16]}>
        <Col xs={24} lg={12} xxl={8}>
          <Card title={text.dashboard.states} style={{ height: '100%' }}>
            <States rows={instances.data?.rows ?? []} />
          </Card>
        </Col>
        {session.isAdmin && <Capacity />}
        <Col xs={24} lg={12} xxl={8}>
          <Card title={text.dashboard.transfers} style={{ height: '100%' }}>
            <Running />
          </Card>
        </Col>
        <Col xs={24} lg={12} xxl={8}>
          <Card title={text.dashboard.failures} style={{ height: '100%' }}>
            <Failures />
          </Card>
        </Col>
      </Row>
    </Page>
  );
}

function Welcome() {
  const steps = [
    { title: <Link to="/templates/register">{text.dashboard.step1}</Link> },
    { title: <Link to="/instances/deploy">{text.dashboard.step2}</Link> },
    { title: text.dashboard.step3 },
  ];
  return (
    <Card>
      <Typography.Paragraph>{text.dashboard.welcome}</Typography.Paragraph>
      <Steps items={steps} current={0} responsive />
    </Card>
  );
}

function States({ rows }: { readonly rows: readonly VirtualMachine[] }) {
  const counts = new Map<string, number>();
  for (const { state = 'Unknown' } of rows) counts.set(state, (counts.get(state) ?? 0) + 1);
  return (
    <Flex gap="large" wrap>
      {[...counts].map(([state, count]) => (
        <Link key={state} to="/instances" search={{ state }}>
          <Statistic title={<StateTag state={state} />} value={count} />
        </Link>
      ))}
      {counts.size === 0 && <Typography.Text type="secondary">{text.instances.empty}</Typography.Text>}
    </Flex>
  );
}

function Capacity() {
  const hosts = useRows<Host>('listHosts', { type: 'Routing', page: 1, pagesize: shown });
  const pools = useRows<StoragePool>('listStoragePools', { page: 1, pagesize: shown });
  const sum = (values: readonly (number | undefined)[]) => values.reduce<number>((a, b) => a + (b ?? 0), 0);
  const hostRows = hosts.data?.rows ?? [];
  const poolRows = pools.data?.rows ?? [];
  const bars = [
    {
      name: text.dashboard.memory,
      used: sum(hostRows.map((host) => host.memoryallocatedbytes ?? host.memoryallocated)),
      total: sum(hostRows.map((host) => host.memorytotal)),
      format: formatGibibytes,
    },
    {
      name: text.dashboard.storage,
      used: sum(poolRows.map((pool) => pool.disksizeused)),
      total: sum(poolRows.map((pool) => pool.disksizetotal)),
      format: formatBytes,
    },
  ];
  return (
    <Col xs={24} lg={12} xxl={8}>
      <Card title={text.dashboard.hosts} style={{ height: '100%' }}>
        <Flex vertical gap="middle">
          <Flex gap="small" wrap>
            {hostRows.map((host) => (
              <StateTag
                key={host.id}
                state={host.state ?? 'Unknown'}
              >{`${host.name}: ${host.state}`}</StateTag>
            ))}
          </Flex>
          {bars.map(({ name, used, total, format }) => (
            <div key={name}>
              <Flex justify="space-between">
                <span>{name}</span>
                <span>{text.dashboard.of(format(used), format(total))}</span>
              </Flex>
              <Progress
                aria-label={name}
                percent={total === 0 ? 0 : Math.round((100 * used) / total)}
                status={total > 0 && used / total > 0.9 ? 'exception' : 'normal'}
              />
            </div>
          ))}
        </Flex>
      </Card>
    </Col>
  );
}

function Running() {
  const jobs = useRows<AsyncJob>('listAsyncJobs', { page: 1, pagesize: 50 });
  const running = jobs.data?.rows.filter(({ jobstatus }) => jobstatus === 0) ?? [];
  if (running.length === 0)
    return <Typography.Text type="secondary">{text.dashboard.noTransfers}</Typography.Text>;
  return <RunningJobs jobs={running} />;
}

function Failures() {
  const events = useRows<ApiEvent>('listEvents', { level: 'ERROR', page: 1, pagesize: 5 });
  const rows = events.data?.rows ?? [];
  if (rows.length === 0)
    return <Typography.Text type="secondary">{text.dashboard.noFailures}</Typography.Text>;
  return (
    <List
      size="small"
      dataSource={[...rows]}
      renderItem={(event) => (
        <List.Item key={event.id}>
          <List.Item.Meta
            title={`${formatTime(event.created)} · ${event.type}`}
            description={<span style={{ overflowWrap: 'anywhere' }}>{event.description}</span>}
          />
        </List.Item>
      )}
    />
  );
}
