import { Flex, Typography } from 'antd';
import { type ReactNode, useEffect } from 'react';

/** Title, what can be done here, and the content. */
export function Page(props: {
  readonly title: string;
  readonly note?: ReactNode;
  readonly actions?: ReactNode;
  readonly children: ReactNode;
}) {
  useEffect(() => {
    document.title = `${props.title} · Millrace`;
  }, [props.title]);
  return (
    <Flex vertical gap="middle">
      <Flex justify="space-between" align="center" wrap gap="small">
        <Typography.Title level={1} style={{ fontSize: 24, margin: 0 }}>
          {props.title}
        </Typography.Title>
        <Flex gap="small" wrap>
          {props.actions}
        </Flex>
      </Flex>
      {props.note && <Typography.Paragraph type="secondary">{props.note}</Typography.Paragraph>}
      {props.children}
    </Flex>
  );
}
