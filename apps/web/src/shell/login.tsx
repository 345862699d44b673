import { Button, Card, Flex, Form, Input, Typography } from 'antd';
import { useEffect, useState } from 'react';
import { logIn, type Session } from '../api/session.ts';
import { text } from '../text/en.ts';
import { Failure } from '../ui/failure.tsx';

interface Credentials {
  readonly username: string;
  readonly password: string;
  readonly domain?: string;
}

export function Login({ onLogin }: { readonly onLogin: (session: Session) => void }) {
  const [error, setError] = useState<unknown>();
  const [busy, setBusy] = useState(false);
  useEffect(() => {
    document.title = `${text.login.title} · ${text.product}`;
  }, []);
  const submit = async ({ username, password, domain }: Credentials) => {
    setBusy(true);
    setError(undefined);
    try {
      onLogin(await logIn(username, password, domain));
    } catch (failure) {
      setError(failure);
    } finally {
      setBusy(false);
    }
  };
  const rules = [{ required: true, message: text.login.missing }];
  return (
    <Flex component="main" justify="center" align="center" style={{ minHeight: '100vh', padding: 16 }}>
      <Card style={{ width: 'min(400px, 100%)' }}>
        <Flex align="center" gap="small" style={{ marginBottom: 16 }}>
          <img src="/millrace.svg" alt="" width={36} height={36} />
          <Typography.Title level={1} style={{ fontSize: 26, margin: 0 }}>
            {text.product}
          </Typography.Title>
        </Flex>
        <Form layout="vertical" onFinish={submit} requiredMark={false}>
          <Form.Item name="username" label={text.login.user} rules={rules} initialValue="admin">
            <Input autoComplete="username" autoFocus />
          </Form.Item>
          <Form.Item name="password" label={text.login.password} rules={rules}>
            <Input.Password autoComplete="current-password" />
          </Form.Item>
          <Form.Item name="domain" label={text.login.domain} extra={text.login.domainNote}>
            <Input autoComplete="organization" spellCheck={false} />
          </Form.Item>
          <Failure error={error} />
          <Button type="primary" htmlType="submit" loading={busy} block style={{ marginTop: 16 }}>
            {text.login.submit}
          </Button>
        </Form>
        <Typography.Paragraph type="secondary" style={{ marginTop: 16, marginBottom: 0 }}>
          {text.login.hint}
        </Typography.Paragraph>
      </Card>
    </Flex>
  );
}
