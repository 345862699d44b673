import { Alert, Card, Descriptions, Flex, Table, Typography } from 'antd';
import type { TemplateProbe } from '../api/entities.ts';
import { text } from '../text/en.ts';
import { formatBytes, formatGibibytes } from '../ui/quantities.ts';
import { Scroller } from '../ui/scroller.tsx';
import { StateTag } from '../ui/state-tag.tsx';

const t = text.register;

type Source = NonNullable<TemplateProbe['source']>[number];

/** What a host saw behind a URL. */
export function ProbeReport({ probe }: { readonly probe: TemplateProbe }) {
  const warnings = (probe.warnings ?? []).map(String);
  return (
    <Card size="small" title={t.found}>
      <Flex vertical gap="small">
        <Descriptions
          size="small"
          column={{ xs: 1, sm: 2 }}
          items={[
            { key: 'format', label: t.format, children: probe.format ?? '–' },
            { key: 'compression', label: t.compression, children: probe.compression },
            { key: 'virtual', label: t.virtualSize, children: formatGibibytes(probe.virtualsize) },
            { key: 'transfer', label: t.transferSize, children: formatBytes(probe.transfersize) },
            {
              key: 'checksum',
              label: t.checksum,
              span: 'filled',
              children: (
                <Typography.Text className="prose">
                  {probe.checksum ?? text.templates.noChecksum}
                </Typography.Text>
              ),
            },
            { key: 'trust', label: t.trust, span: 'filled', children: probe.checksumtrust },
          ]}
        />
        {warnings.map((warning) => (
          <Alert key={warning} type="warning" showIcon title={warning} />
        ))}
        <Scroller label={t.mirrors}>
          <Table<Source>
            aria-label={t.mirrors}
            size="small"
            pagination={false}
            rowKey={(source) => source.url ?? ''}
            dataSource={[...(probe.source ?? [])]}
            columns={[
              { title: t.source, render: (_: unknown, { url }) => <span className="address">{url}</span> },
              { title: t.priority, dataIndex: 'priority' },
              { title: t.location, dataIndex: 'location' },
              { title: t.size, render: (_: unknown, { size }) => formatBytes(size) },
              {
                title: t.state,
                render: (_: unknown, { usable, message, reason }) => (
                  <>
                    <StateTag state={usable ? t.usable : t.unusable} />
                    {message ?? reason}
                  </>
                ),
              },
            ]}
          />
        </Scroller>
      </Flex>
    </Card>
  );
}
