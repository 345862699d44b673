import { specs } from '@millrace/api';
import { implement } from './command.ts';

/** Lists that clients of CloudStack ask for, of what a Millrace cloud has none of, or just one. */
const none = async () => ({ list: [], count: 0 });

export const listProjects = implement(specs.listProjects, none);
export const listPublicIpAddresses = implement(specs.listPublicIpAddresses, none);
export const listPortForwardingRules = implement(specs.listPortForwardingRules, none);
export const listIpForwardingRules = implement(specs.listIpForwardingRules, none);
export const listSecurityGroups = implement(specs.listSecurityGroups, none);

const region = { id: 1, name: 'Local', gslbserviceenabled: false, portableipserviceenabled: false };

export const listRegions = implement(specs.listRegions, async ({ params }) => {
  const { id, name, keyword } = params;
  const list = [region].filter(
    (one) =>
      (id === undefined || one.id === id) &&
      (name === undefined || one.name === name) &&
      one.name.toLowerCase().includes(keyword?.toLowerCase() ?? ''),
  );
  return { list, count: list.length };
});
