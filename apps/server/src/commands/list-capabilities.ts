import { specs } from '@millrace/api';
import { readSettings } from '../store/settings.ts';
import { implement } from './command.ts';

/** The release of CloudStack whose API this is. Clients switch features on by it. */
const cloudstackVersion = '4.18.2.0';

export const listCapabilities = implement(specs.listCapabilities, async ({ database, caller }) => {
  const settings = await readSettings(database, { accountId: caller.accountId });
  return {
    object: {
      cloudstackversion: cloudstackVersion,
      defaultuipagesize: Math.min(20, settings['default.page.size']),
      userpublictemplateenabled: settings['allow.public.user.templates'],
      allowuserexpungerecovervm: settings['allow.user.expunge.recover.vm'],
      allowuserviewdestroyedvm: true,
      allowuserviewalldomainaccounts: false,
      allowuserexpungerecovervolume: false,
      allowusercreateprojects: false,
      projectinviterequired: false,
      securitygroupsenabled: false,
      supportELB: 'false',
      dynamicrolesenabled: false,
      kvmsnapshotenabled: false,
      regionsecondaryenabled: false,
      kubernetesserviceenabled: false,
      kubernetesclusterexperimentalfeaturesenabled: false,
      instancesdisksstatsretentionenabled: false,
    },
  };
});
