import type { SettingName } from './settings.ts';

/** What can have a value of its own, beside the whole cloud, from wide to near: of places, then of people. */
export const settingScopes = ['zone', 'cluster', 'storagepool', 'domain', 'account'] as const;
export type SettingScope = (typeof settingScopes)[number];

/** As CloudStack has them, and own settings where hosts, pools or users differ. */
const scopes: Partial<Record<SettingName, readonly SettingScope[]>> = {
  'cpu.overprovisioning.factor': ['cluster'],
  'mem.overprovisioning.factor': ['cluster'],
  'cluster.cpu.allocated.capacity.notificationthreshold': ['cluster'],
  'cluster.memory.allocated.capacity.notificationthreshold': ['cluster'],
  'cluster.storage.capacity.notificationthreshold': ['cluster', 'storagepool'],
  'storage.template.cleanup.enabled': ['zone', 'storagepool'],
  'storage.template.cleanup.age': ['zone', 'storagepool'],
  'storage.template.cleanup.pressure': ['zone', 'storagepool'],
  'template.direct.download.default': ['zone'],
  'allow.public.user.templates': ['domain', 'account'],
  'allow.user.expunge.recover.vm': ['domain', 'account'],
};

/** Who may have a value of a setting of their own, from wide to near; nobody: it has one for the whole cloud. */
export function scopesOf(name: SettingName): readonly SettingScope[] {
  // from where hosts fetch, and how, depends on the networks of their zone
  return scopes[name] ?? (name.startsWith('direct.download.') ? ['zone'] : []);
}
