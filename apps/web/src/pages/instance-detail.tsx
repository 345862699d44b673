import { Link, useNavigate, useSearch } from '@tanstack/react-router';
import { Alert, Button, Card, Descriptions, Flex, Result, Skeleton, Table, Tabs } from 'antd';
import { useState } from 'react';
import type { ApiEvent, AsyncJob, VirtualMachine } from '../api/entities.ts';
import { useJob, useOne, useRows } from '../api/queries.ts';
import type { Session } from '../api/session.ts';
import { text } from '../text/en.ts';
import { Failure } from '../ui/failure.tsx';
import { Page } from '../ui/page.tsx';
import { formatGibibytes, formatTime } from '../ui/quantities.ts';
import { Scroller } from '../ui/scroller.tsx';
import { StateTag } from '../ui/state-tag.tsx';
import { Tags } from '../ui/tags.tsx';
import { Timeline } from '../ui/timeline.tsx';
import { eventColumns } from './events.tsx';
import { InstanceActions } from './instance-actions.tsx';
import { InstanceConsole } from './instance-console.tsx';
import { InstanceVolumes } from './instance-volumes.tsx';

const t = text.instances;
/** Each is asked for with every attempt that it made. */
const jobsAtFirst = 10;
const moreJobs = 20;

export function InstanceDetail({ id, session }: { readonly id: string; readonly session: Session }) {
  const query = useOne<VirtualMachine>('listVirtualMachines', id);
  const { tab = 'overview' } = useSearch({ strict: false }) as { readonly tab?: string };
  const navigate = useNavigate();
  if (query.error) return <Failure error={query.error} retry={() => void query.refetch()} />;
  if (query.isPending) return <Skeleton active />;
  const vm = query.data;
  if (!vm) return <Result status="404" title={t.gone} extra={<Link to="/instances">{t.title}</Link>} />;
  const tabs = [
    { key: 'overview', label: t.overview, children: <Overview vm={vm} /> },
    { key: 'timeline', label: t.timeline, children: <JobsOf vm={vm} /> },
    { key: 'volumes', label: t.volumes, children: <InstanceVolumes vm={vm} /> },
    { key: 'network', label: t.network, children: <Cards vm={vm} /> },
    { key: 'console', label: t.console, children: <InstanceConsole vm={vm} /> },
    { key: 'events', label: t.events, children: <Events id={id} /> },
  ];
  return (
    <Page
      title={vm.displayname ?? vm.name ?? id}
      actions={<InstanceActions vm={vm} isAdmin={session.isAdmin} />}
    >
      {vm.errortext !== undefined && (
        <Alert
          type="error"
          showIcon
          title={t.error}
          description={<span className="prose">{vm.errortext}</span>}
        />
      )}
      <Tabs
        activeKey={tab}
        items={tabs}
        destroyOnHidden
        onChange={(key) => void navigate({ to: '.', search: { tab: key }, replace: true })}
      />
    </Page>
  );
}

function Overview({ vm }: { readonly vm: VirtualMachine }) {
  return (
    <Descriptions
      bordered
      size="small"
      column={{ xs: 1, md: 2 }}
      items={[
        { key: 'state', label: t.state, children: <StateTag state={vm.state ?? 'Unknown'} /> },
        { key: 'host', label: t.host, children: vm.hostname ?? '–' },
        {
          key: 'template',
          label: t.template,
          children: (
            <Link to={`${vm.templateformat === 'ISO' ? '/isos' : '/templates'}/${vm.templateid}`}>
              {vm.templatename}
            </Link>
          ),
        },
        {
          key: 'iso',
          label: t.iso,
          children: vm.isoid ? <Link to={`/isos/${vm.isoid}`}>{vm.isoname}</Link> : t.noIso,
        },
        { key: 'offering', label: t.offering, children: vm.serviceofferingname },
        { key: 'cpus', label: t.cpus, children: vm.cpunumber },
        { key: 'memory', label: t.memory, children: formatGibibytes((vm.memory ?? 0) * 1024 ** 2) },
        { key: 'address', label: t.address, children: vm.nic?.[0]?.ipaddress ?? '–' },
        { key: 'zone', label: t.zone, children: vm.zonename },
        { key: 'keys', label: text.keys.title, children: vm.keypairs ?? '–' },
        { key: 'account', label: t.account, children: vm.account },
        { key: 'created', label: t.created, children: formatTime(vm.created) },
        {
          key: 'tags',
          label: text.tags.title,
          span: 'filled',
          children: <Tags type="UserVm" id={vm.id ?? ''} name={vm.name ?? ''} tags={vm.tags} />,
        },
      ]}
    />
  );
}

/** Every job about this instance that is kept, newest first, live while it runs. */
function JobsOf({ vm }: { readonly vm: VirtualMachine }) {
  const [shown, setShown] = useState(jobsAtFirst);
  const jobs = useRows<AsyncJob>('listAsyncJobs', {
    listall: true,
    resourceid: vm.id,
    page: 1,
    pagesize: shown,
  });
  const mine = jobs.data?.rows ?? [];
  if (jobs.error) return <Failure error={jobs.error} />;
  if (jobs.isPending) return <Skeleton active />;
  if (mine.length === 0) return t.noJobs;
  return (
    <Flex vertical gap="middle">
      {mine.map((job) => (
        <JobCard key={job.jobid} job={job} />
      ))}
      {(jobs.data?.count ?? 0) > mine.length && (
        <Button onClick={() => setShown((now) => Math.min(500, now + moreJobs))}>{t.olderJobs}</Button>
      )}
    </Flex>
  );
}

function JobCard({ job }: { readonly job: AsyncJob }) {
  const { data } = useJob(job.jobid);
  const title = (
    <Flex gap="small" align="center">
      <Link to={`/jobs/${job.jobid}`}>{job.cmd}</Link>
      <StateTag state={data?.status ?? 'pending'} />
    </Flex>
  );
  return (
    <Card size="small" title={title} extra={formatTime(job.created)}>
      {data ? <Timeline job={data} /> : <Skeleton active />}
    </Card>
  );
}

function Cards({ vm }: { readonly vm: VirtualMachine }) {
  return (
    <Table
      aria-label={t.network}
      size="small"
      pagination={false}
      rowKey={(nic) => nic.id ?? ''}
      dataSource={[...(vm.nic ?? [])]}
      columns={[
        { title: t.network, dataIndex: 'networkname' },
        { title: t.address, dataIndex: 'ipaddress' },
        { title: t.mac, dataIndex: 'macaddress' },
      ]}
    />
  );
}

function Events({ id }: { readonly id: string }) {
  const events = useRows<ApiEvent>('listEvents', { listall: true, resourceid: id, page: 1, pagesize: 100 });
  return (
    <Scroller label={t.events}>
      <Table<ApiEvent>
        aria-label={t.events}
        size="small"
        pagination={false}
        rowKey={(event) => event.id ?? ''}
        dataSource={[...(events.data?.rows ?? [])]}
        columns={[...eventColumns]}
      />
    </Scroller>
  );
}
