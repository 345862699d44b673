import { App, Button, Flex, Progress, Table } from 'antd';
import { isObject } from '../api/call.ts';
import type { StoragePool, Template } from '../api/entities.ts';
import { rememberJob } from '../api/jobs.ts';
import { useMay } from '../api/permissions.ts';
import { useAction, useRows } from '../api/queries.ts';
import { text } from '../text/en.ts';
import { AskButton } from '../ui/ask-button.tsx';
import { formatBytes, formatDuration, formatRate, formatTime } from '../ui/quantities.ts';
import { Scroller } from '../ui/scroller.tsx';
import { StateTag } from '../ui/state-tag.tsx';
import { useComplaint } from '../ui/use-complaint.tsx';

const t = text.templates;

interface Copy {
  readonly pool: string;
  /** Told to admins alone. */
  readonly poolId: string | undefined;
  readonly percent: number;
  readonly state: 'absent' | 'arriving' | 'verified' | 'stale' | 'refused' | 'failed';
  /** How it arrives, or why it did not. */
  readonly note: string;
  readonly lastUsed: string | undefined;
}

/** Pool by pool: whether the image is there, how it arrives, or why it is not. Administrators see pools without it, too. */
export function TemplateCopies({ template }: { readonly template: Template }) {
  const may = useMay();
  const manages = may('prepareTemplate') || may('evictTemplate');
  const pools = useRows<StoragePool>(
    'listStoragePools',
    { zoneid: template.zoneid, page: 1, pagesize: 500 },
    { enabled: may('listStoragePools') },
  );
  const there = (template.downloaddetails ?? []).flatMap((value) => copyOf(value, template.checksum));
  const elsewhere = (pools.data?.rows ?? [])
    .filter(({ id }) => !there.some(({ poolId }) => poolId === id))
    .map(
      ({ id, name = '' }): Copy => ({
        pool: name,
        poolId: id,
        percent: 0,
        state: 'absent',
        note: '',
        lastUsed: undefined,
      }),
    );
  return (
    <Scroller label={t.copies}>
      <Table<Copy>
        aria-label={t.copies}
        size="small"
        pagination={{ hideOnSinglePage: true, pageSize: 20 }}
        rowKey={({ pool, poolId }) => poolId ?? pool}
        dataSource={[...there, ...elsewhere]}
        locale={{ emptyText: t.noCopies }}
        columns={[
          { title: t.pool, dataIndex: 'pool' },
          { title: t.state, render: (_: unknown, { state }) => <StateTag state={state} /> },
          { title: t.percent, width: '35%', render: (_: unknown, copy) => <Arrival copy={copy} /> },
          { title: t.lastUsed, render: (_: unknown, { lastUsed }) => formatTime(lastUsed) },
          ...(manages
            ? [
                {
                  title: t.action,
                  render: (_: unknown, copy: Copy) => <Actions template={template} copy={copy} />,
                },
              ]
            : []),
        ]}
      />
    </Scroller>
  );
}

function Arrival({ copy }: { readonly copy: Copy }) {
  const { state, percent, note, pool } = copy;
  if (state === 'absent') return t.absentNote;
  if (state !== 'arriving') return <span className="prose">{note}</span>;
  return (
    <>
      <output aria-live="polite">{note}</output>
      <Progress percent={percent} size="small" status="active" aria-label={`${t.percent}: ${pool}`} />
    </>
  );
}

/** A row of `downloaddetails`, in CloudStack's spelling, with what Millrace tells beside it. */
function copyOf(value: unknown, declared: string | undefined): Copy[] {
  if (!isObject(value)) return [];
  const { datastore, datastoreId, downloadPercent, downloadState, lastUsed } = value;
  const state = stateOf(value, declared);
  const note: Readonly<Record<Copy['state'], string>> = {
    absent: '',
    arriving: movement(value),
    verified: typeof value['checksum'] === 'string' ? value['checksum'] : '',
    stale: t.staleNote,
    refused: String(value['error'] ?? ''),
    failed: String(value['error'] ?? ''),
  };
  return [
    {
      pool: String(datastore ?? ''),
      poolId: typeof datastoreId === 'string' ? datastoreId : undefined,
      percent: Number(downloadPercent ?? 0),
      state,
      note: note[state],
      lastUsed: typeof lastUsed === 'string' ? lastUsed : undefined,
    },
  ];
  function stateOf(row: Readonly<Record<string, unknown>>, checksum: string | undefined): Copy['state'] {
    if (downloadState === 'DOWNLOADED') return isStale(row['checksum'], checksum) ? 'stale' : 'verified';
    if (downloadState === 'DOWNLOAD_IN_PROGRESS') return 'arriving';
    if (downloadState === 'DOWNLOAD_ERROR') return row['refused'] === 'true' ? 'refused' : 'failed';
    return 'absent';
  }
}

/** The bytes of a copy are not those that the template declares now. Digests of other algorithms say nothing. */
function isStale(ofCopy: unknown, declared: string | undefined): boolean {
  if (typeof ofCopy !== 'string' || declared === undefined) return false;
  const hex = ofCopy.replace(/^\{[^}]*\}/, '');
  return hex.length === declared.length && hex.toLowerCase() !== declared.toLowerCase();
}

function movement({
  phase,
  bytes,
  totalBytes,
  bytesPerSecond,
  etaSeconds,
}: Readonly<Record<string, unknown>>) {
  const number = (value: unknown) => (typeof value === 'string' ? Number(value) : undefined);
  const [done, total, rate, left] = [bytes, totalBytes, bytesPerSecond, etaSeconds].map(number);
  return [
    typeof phase === 'string' ? text.phase(phase) : '',
    done === undefined
      ? ''
      : total === undefined
        ? formatBytes(done)
        : text.dashboard.of(formatBytes(done), formatBytes(total)),
    rate ? formatRate(rate) : '',
    left === undefined || left < 1 ? '' : text.timeline.left(formatDuration(left * 1000)),
  ]
    .filter((part) => part !== '')
    .join(' · ');
}

/** Why something cannot be done (a disk on the copy, say) is the server's to know and to say. */
function Actions({ template, copy }: { readonly template: Template; readonly copy: Copy }) {
  const may = useMay();
  const { poolId, pool, state } = copy;
  if (poolId === undefined || state === 'arriving') return null;
  const isThere = state === 'verified' || state === 'stale';
  const key = { templateid: template.id, storageid: poolId };
  return (
    <Flex gap="small" wrap>
      {!isThere && may('prepareTemplate') && (
        <Prefetch template={template} pool={{ id: poolId, name: pool }} />
      )}
      {isThere && may('verifyTemplate') && (
        <AskButton action={t.verify} command="verifyTemplate" params={key} name={pool} />
      )}
      {state !== 'absent' && may('evictTemplate') && (
        <AskButton action={t.evict} command="evictTemplate" params={key} name={pool} warning={t.evictNote} />
      )}
    </Flex>
  );
}

/** Brings the image to every pool of its zone, or to one. The command answers with the template; its row names the job. */
export function Prefetch(props: {
  readonly template: Template;
  readonly pool?: { readonly id: string; readonly name: string };
}) {
  const { template, pool } = props;
  const { message } = App.useApp();
  const complain = useComplaint();
  const prepare = useAction('prepareTemplate');
  const perform = async () => {
    try {
      const answer = await prepare.mutateAsync({
        templateid: template.id,
        zoneid: template.zoneid,
        storageid: pool?.id,
      });
      const [row] = Array.isArray(answer['template']) ? answer['template'].filter(isObject) : [];
      const jobid = row?.['jobid'];
      if (typeof jobid === 'string')
        rememberJob({ jobid, title: `${t.prefetch}: ${template.name}`, path: `/jobs/${jobid}` });
      void message.success(t.prefetching);
    } catch (error) {
      complain(error);
    }
  };
  return (
    <Button
      size={pool ? 'small' : 'middle'}
      onClick={() => void perform()}
      loading={prepare.isPending}
      title={t.prefetchNote}
      {...(pool ? { 'aria-label': `${t.prefetch}: ${pool.name}` } : {})}
    >
      {t.prefetch}
    </Button>
  );
}
