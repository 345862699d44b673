import { SearchOutlined } from '@ant-design/icons';
import { useMutation } from '@tanstack/react-query';
import { Button, Flex, Typography } from 'antd';
import type { Template } from '../api/entities.ts';
import { text } from '../text/en.ts';
import { Failure } from '../ui/failure.tsx';
import type { ImageKind } from './image-kind.ts';
import { ProbeReport } from './template-probe.tsx';
import { probeUrl } from './template-register.tsx';

const t = text.templates;

/** The mirrors of an image in the order in which they would be tried now, as a host of its zone sees them. */
export function TemplateSources({
  template,
  kind,
}: {
  readonly template: Template;
  readonly kind: ImageKind;
}) {
  const probe = useMutation({ mutationFn: probeUrl });
  const look = () =>
    probe.mutate({
      url: template.url,
      zoneid: template.zoneid,
      ...(kind.key === 'iso' ? { format: 'ISO' } : {}),
    });
  return (
    <Flex vertical gap="small" align="stretch">
      <Typography.Text type="secondary">{t.sourcesNote}</Typography.Text>
      <div>
        <Button icon={<SearchOutlined />} onClick={look} loading={probe.isPending}>
          {t.look}
        </Button>
      </div>
      <div aria-live="polite">
        {probe.isPending ? text.register.looking : null}
        <Failure error={probe.error} />
        {probe.data && !probe.isPending && <ProbeReport probe={probe.data} />}
      </div>
    </Flex>
  );
}
