/** Settings of what stays of templates on storage pools, and of sources that yield other bytes than they did. */

const templates = { category: 'Storage', group: 'Storage', subgroup: 'Templates' } as const;

export const sourceChangedChoices = ['refuse', 'follow', 'pin'] as const;
export type SourceChangedChoice = (typeof sourceChangedChoices)[number];

export const templateSettings = {
  'storage.template.cleanup.enabled': {
    ...templates,
    kind: 'boolean',
    default: true,
    description:
      'Whether copies that nothing uses are removed by age and by pressure. Those of deleted templates are in any case',
  },
  'storage.template.cleanup.age': {
    ...templates,
    kind: 'number',
    default: 0,
    min: 0,
    max: 36_500,
    description: 'Days after which a copy that nothing has used is removed from its pool; 0: never by age',
  },
  'storage.template.cleanup.pressure': {
    ...templates,
    kind: 'number',
    default: 0,
    min: 0,
    max: 99,
    description:
      'Percent of a pool in use above which copies that nothing uses are removed, longest unused first; 0: never',
  },
  'template.source.changed': {
    ...templates,
    kind: 'text',
    default: 'refuse',
    options: sourceChangedChoices,
    problem: (value: string) =>
      isSourceChangedChoice(value) ? undefined : `must be one of ${sourceChangedChoices.join(', ')}`,
    description:
      'When the source of a template without a checksum yields other bytes than its copies have. refuse: the transfer fails; follow: the pool gets the new bytes; pin: what was committed last counts as the checksum, even when no copy is left',
  },
} as const;

export function isSourceChangedChoice(value: string): value is SourceChangedChoice {
  return sourceChangedChoices.some((choice) => choice === value);
}
