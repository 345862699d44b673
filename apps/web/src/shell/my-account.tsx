import { UserOutlined } from '@ant-design/icons';
import { Button, Popover, Skeleton } from 'antd';
import { lazy, Suspense } from 'react';
import type { Session } from '../api/session.ts';

const AboutMe = lazy(async () => ({ default: (await import('./about-me.tsx')).AboutMe }));

/** Who is logged in. What they may change of themselves is loaded when they ask for it: forms are heavy. */
export function MyAccount({ session }: { readonly session: Session }) {
  const content = (
    <Suspense fallback={<Skeleton active />}>
      <AboutMe session={session} />
    </Suspense>
  );
  return (
    <Popover content={content} trigger="click">
      <Button icon={<UserOutlined />}>{session.username}</Button>
    </Popover>
  );
}
