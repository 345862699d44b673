import type { configurationFields, EntityOf } from '@millrace/api';
import { type SettingName, type Settings, settings } from '../../domain/settings.ts';

const types = { number: 'Number', boolean: 'Boolean', text: 'String' } as const;

/** A setting with the value it has now. */
export function configurationEntity(
  name: SettingName,
  values: Settings,
): EntityOf<typeof configurationFields> {
  const definition = settings[name];
  return {
    id: Object.keys(settings).indexOf(name) + 1,
    name,
    displaytext: definition.description,
    description: definition.description,
    category: definition.category,
    group: definition.group,
    subgroup: definition.subgroup,
    component: 'management-server',
    scope: 'global',
    type: types[definition.kind],
    value: String(values[name]),
    defaultvalue: String(definition.default),
    options: 'options' in definition ? definition.options.join(',') : undefined,
    isdynamic: true,
  };
}

/** The same as it holds in a cluster. @param own undefined: it follows the cloud */
export function clusterConfigurationEntity(
  name: SettingName,
  values: Settings,
  own: string | undefined,
): EntityOf<typeof configurationFields> {
  return { ...configurationEntity(name, values), scope: 'cluster', value: own ?? String(values[name]) };
}
