import type { configurationFields, EntityOf } from '@millrace/api';
import { type SettingScope, scopesOf } from '../../domain/setting-scopes.ts';
import { type SettingName, type Settings, settings } from '../../domain/settings.ts';

const types = { number: 'Number', boolean: 'Boolean', text: 'String' } as const;

/** A setting with the value it has now. @param scope of what was asked; undefined: the whole cloud */
export function configurationEntity(
  name: SettingName,
  values: Settings,
  scope?: SettingScope,
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
    scope: scope ?? (scopesOf(name).join(',') || 'global'),
    type: types[definition.kind],
    value: String(values[name]),
    defaultvalue: String(definition.default),
    options: 'options' in definition ? definition.options.join(',') : undefined,
    isdynamic: true,
  };
}
