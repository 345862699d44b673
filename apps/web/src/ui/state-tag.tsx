import {
  CheckCircleOutlined,
  ClockCircleOutlined,
  CloseCircleOutlined,
  MinusCircleOutlined,
  PauseCircleOutlined,
  SyncOutlined,
} from '@ant-design/icons';
import { Tag } from 'antd';
import type { ReactNode } from 'react';

type Mood = 'good' | 'busy' | 'still' | 'bad' | 'waiting' | 'gone';

const moods: Readonly<Record<Mood, { readonly color: string; readonly icon: ReactNode }>> = {
  good: { color: 'success', icon: <CheckCircleOutlined /> },
  busy: { color: 'processing', icon: <SyncOutlined /> },
  still: { color: 'default', icon: <PauseCircleOutlined /> },
  bad: { color: 'error', icon: <CloseCircleOutlined /> },
  waiting: { color: 'warning', icon: <ClockCircleOutlined /> },
  gone: { color: 'default', icon: <MinusCircleOutlined /> },
};

/** Every word for a state that the API uses, and what it means for whoever looks. */
const moodOf: Readonly<Record<string, Mood>> = {
  Running: 'good',
  Up: 'good',
  Enabled: 'good',
  Ready: 'good',
  Active: 'good',
  Implemented: 'good',
  Setup: 'good',
  succeeded: 'good',
  done: 'good',
  verified: 'good',
  usable: 'good',
  INFO: 'good',
  connected: 'good',
  enabled: 'good',
  locked: 'still',
  disabled: 'still',
  Starting: 'busy',
  connecting: 'busy',
  Stopping: 'busy',
  Migrating: 'busy',
  Expunging: 'busy',
  Connecting: 'busy',
  Creating: 'busy',
  running: 'busy',
  pending: 'busy',
  arriving: 'busy',
  PrepareForMaintenance: 'waiting',
  Maintenance: 'waiting',
  Disconnected: 'waiting',
  WARN: 'waiting',
  stale: 'waiting',
  Unknown: 'waiting',
  Stopped: 'still',
  Allocated: 'still',
  absent: 'still',
  Disabled: 'still',
  Error: 'bad',
  ERROR: 'bad',
  Alert: 'bad',
  Down: 'bad',
  failed: 'bad',
  refused: 'bad',
  cancelled: 'bad',
  'not usable': 'bad',
  Destroyed: 'gone',
  Expunged: 'gone',
  Removed: 'gone',
};

/** A state by word and coloured sign: never by colour alone, and the word is as legible as the text around it. */
export function StateTag({ state, children }: { readonly state: string; readonly children?: ReactNode }) {
  const { color, icon } = moods[moodOf[state] ?? 'still'];
  return <Tag icon={<span className={`sign-${color}`}>{icon}</span>}>{children ?? state}</Tag>;
}
