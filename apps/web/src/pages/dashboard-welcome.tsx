import { Link } from '@tanstack/react-router';
import { Button, Card, Flex, Typography } from 'antd';
import type { Template } from '../api/entities.ts';
import { useMay } from '../api/permissions.ts';
import { useRows } from '../api/queries.ts';
import { text } from '../text/en.ts';

const t = text.dashboard;

/** For whoever has no instance yet: the shortest way to one, which is two clicks where there is a template. */
export function Welcome() {
  const may = useMay();
  const templates = useRows<Template>('listTemplates', {
    templatefilter: 'executable',
    showunique: true,
    page: 1,
    pagesize: 3,
  });
  if (!templates.data) return null;
  const { rows } = templates.data;
  return (
    <Card title={t.welcome}>
      <Flex vertical gap="middle" align="start">
        <Typography.Text>{rows.length > 0 ? t.welcomeDeploy : t.welcomeRegister}</Typography.Text>
        <Flex gap="small" wrap>
          {rows.map(({ id, name }) => (
            <Link key={id} to="/instances/deploy" search={{ templateid: id }}>
              <Button type="primary">{t.deployFrom(name ?? '')}</Button>
            </Link>
          ))}
          {may('registerTemplate') && (
            <Link to="/templates/register">
              <Button type={rows.length > 0 ? 'default' : 'primary'}>{text.templates.register}</Button>
            </Link>
          )}
        </Flex>
        <Typography.Text type="secondary">{t.step3}</Typography.Text>
      </Flex>
    </Card>
  );
}
