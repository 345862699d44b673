import type { Params } from '../api/call.ts';
import type { Session } from '../api/session.ts';
import { text } from '../text/en.ts';

/** Templates and ISOs are shown alike; this is what differs. */
export interface ImageKind {
  readonly path: string;
  /** The key of the answers' lists. */
  readonly key: 'template' | 'iso';
  readonly list: string;
  readonly register: string;
  readonly remove: string;
  readonly update: string;
  readonly extract: string;
  /** What the caller may deploy; an administrator sees everybody's. */
  readonly filter: (session: Session) => Params;
  readonly usersParam: 'templateid' | 'isoid';
  readonly text: Readonly<Record<keyof (typeof text)['isos'], string>>;
}

const filterOf = ({ isAdmin }: Session) => (isAdmin ? 'all' : 'executable');

export const templateKind: ImageKind = {
  path: '/templates',
  key: 'template',
  list: 'listTemplates',
  register: 'registerTemplate',
  remove: 'deleteTemplate',
  update: 'updateTemplate',
  extract: 'extractTemplate',
  filter: (session) => ({ templatefilter: filterOf(session) }),
  usersParam: 'templateid',
  text: { ...text.templates, registerTitle: text.register.title },
};

export const isoKind: ImageKind = {
  path: '/isos',
  key: 'iso',
  list: 'listIsos',
  register: 'registerIso',
  remove: 'deleteIso',
  update: 'updateIso',
  extract: 'extractIso',
  filter: (session) => ({ isofilter: filterOf(session) }),
  usersParam: 'isoid',
  text: text.isos,
};
