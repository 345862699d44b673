import { type FieldSpecs, field, jobFields } from '../fields.ts';

/** Installation: names and types as CloudStack's `listApis` has them. */
export const capabilityFields = {
  allowusercreateprojects: field.boolean('whether users may create projects'),
  allowuserexpungerecovervm: field.boolean('whether users may expunge and recover instances'),
  allowuserexpungerecovervolume: field.boolean('whether users may expunge and recover volumes'),
  allowuserviewalldomainaccounts: field.boolean('whether users see every account of their domain'),
  allowuserviewdestroyedvm: field.boolean('whether users see destroyed instances'),
  apilimitinterval: field.integer('seconds over which API calls are counted'),
  apilimitmax: field.integer('API calls allowed per interval'),
  cloudstackversion: field.string(
    'the release of CloudStack whose API this is, the fourth number being ours',
  ),
  customdiskofferingmaxsize: field.long('the largest custom disk, GB'),
  customdiskofferingminsize: field.long('the smallest custom disk, GB'),
  defaultuipagesize: field.long('rows per page of user interfaces'),
  dynamicrolesenabled: field.boolean('whether roles are dynamic'),
  instancesdisksstatsretentionenabled: field.boolean('whether statistics of disks are kept'),
  instancesdisksstatsretentiontime: field.integer('minutes that statistics of disks are kept'),
  instancesstatsretentiontime: field.integer('minutes that statistics of instances are kept'),
  instancesstatsuseronly: field.boolean('whether only statistics of user instances are kept'),
  kubernetesclusterexperimentalfeaturesenabled: field.boolean(
    'whether experimental features of Kubernetes clusters are on',
  ),
  kubernetesserviceenabled: field.boolean('whether the Kubernetes service is on'),
  kvmsnapshotenabled: field.boolean('whether volumes of running instances can be snapshot'),
  projectinviterequired: field.boolean('whether joining a project needs an invitation'),
  regionsecondaryenabled: field.boolean('whether a region has secondary storage'),
  securitygroupsenabled: field.boolean('whether security groups are on'),
  supportELB: field.string('whether there is elastic load balancing'),
  userpublictemplateenabled: field.boolean('whether users may make templates public'),
  ...jobFields,
} as const satisfies FieldSpecs;
