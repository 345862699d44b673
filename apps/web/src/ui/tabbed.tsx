import { useNavigate, useSearch } from '@tanstack/react-router';
import { Tabs } from 'antd';
import type { ReactNode } from 'react';

export interface Tab {
  readonly key: string;
  readonly label: string;
  readonly children: ReactNode;
}

/** Tabs that the URL remembers. What a list of one of them had there (page, search) is not the other's. */
export function Tabbed({ tabs }: { readonly tabs: readonly Tab[] }) {
  const { tab } = useSearch({ strict: false }) as { readonly tab?: string };
  const navigate = useNavigate();
  const known = tabs.find(({ key }) => key === tab) ?? tabs[0];
  return (
    <Tabs
      activeKey={known?.key ?? ''}
      items={[...tabs]}
      destroyOnHidden
      onChange={(key) => void navigate({ to: '.', search: { tab: key }, replace: true })}
    />
  );
}
