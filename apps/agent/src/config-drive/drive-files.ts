import type { VmSpec } from '@millrace/agent-protocol';
import { networkConfig, networkData } from './network-files.ts';

export interface DriveFile {
  readonly path: string;
  readonly content: string | Uint8Array;
}

/**
 * The files of a VM's config drive, in three layouts, for whichever of them a guest reads:
 *
 * - `openstack/latest`, which cloud-init, cloudbase-init and Ignition find by the label `config-2`
 *   (https://docs.openstack.org/nova/latest/user/metadata.html);
 * - `cloudstack`, for the scripts that CloudStack's templates have, in the places where CloudStack's own drive has them;
 * - NoCloud's files at the top, for guests told to look there (`datasource: {NoCloud: {fs_label: config-2}}`).
 */
export function driveFiles(vm: VmSpec): DriveFile[] {
  if (!vm.configDrive) return [];
  const { userData, password } = vm.configDrive;
  const user = userData === undefined ? undefined : Buffer.from(userData, 'base64');
  return [
    ...openStackFiles(vm, vm.configDrive),
    ...cloudStackFiles(vm, vm.configDrive),
    ...noCloudFiles(vm, vm.configDrive),
    ...(user === undefined
      ? []
      : ['openstack/latest/user_data', 'cloudstack/userdata/user_data.txt'].map((path) => ({
          path,
          content: user,
        }))),
    { path: 'user-data', content: user ?? '' },
    ...(password === undefined ? [] : [{ path: 'cloudstack/password/vm_password.txt', content: password }]),
  ];
}

type Drive = NonNullable<VmSpec['configDrive']>;

/**
 * Not the UUID that the guest's firmware tells: cloud-init would then hold what it read once for the whole truth and not
 * look at the drive again, so that a new key or password would never be seen (DataSourceConfigDrive.check_instance_id).
 */
export function instanceId(vm: VmSpec): string {
  return `millrace-${vm.uuid}`;
}

function openStackFiles(vm: VmSpec, drive: Drive): DriveFile[] {
  const metaData = {
    uuid: instanceId(vm),
    name: drive.hostName,
    hostname: drive.hostName,
    'local-hostname': drive.hostName,
    launch_index: 0,
    availability_zone: drive.zoneName,
    public_keys: Object.fromEntries(drive.sshKeys.map(({ name, publicKey }) => [name, publicKey])),
    keys: drive.sshKeys.map(({ name, publicKey }) => ({ name, type: 'ssh', data: publicKey })),
    meta: drive.variables ?? {},
    ...(drive.password === undefined ? {} : { admin_pass: drive.password }),
  };
  const vendor = vendorData(drive);
  const files = {
    'meta_data.json': metaData,
    'network_data.json': networkData(vm.nics),
    'vendor_data.json': vendor === undefined ? {} : { 'cloud-init': vendor },
  };
  return Object.entries(files).map(([name, value]) => ({
    path: `openstack/latest/${name}`,
    content: JSON.stringify(value),
  }));
}

/** What cloud-init has to be told to take a password: it does not read `admin_pass`. */
function vendorData({ password }: Drive): string | undefined {
  if (password === undefined) return undefined;
  const config = { password, chpasswd: { expire: false }, ssh_pwauth: true };
  return `#cloud-config\n${JSON.stringify(config)}\n`;
}

function cloudStackFiles(vm: VmSpec, drive: Drive): DriveFile[] {
  const values = {
    // first, so that no variable takes the place of what the cloud says
    ...drive.variables,
    'instance-id': instanceId(vm),
    'vm-id': vm.uuid,
    'local-hostname': drive.hostName,
    'availability-zone': drive.zoneName,
    'service-offering': drive.serviceOffering,
    'public-keys': drive.sshKeys.map(({ publicKey }) => publicKey).join('\n'),
  };
  return Object.entries(values).map(([name, content]) => ({
    path: `cloudstack/metadata/${name}.txt`,
    content,
  }));
}

/** JSON is YAML, which these files are (https://docs.cloud-init.io/en/latest/reference/datasources/nocloud.html). */
function noCloudFiles(vm: VmSpec, drive: Drive): DriveFile[] {
  const metaData = {
    'instance-id': instanceId(vm),
    'local-hostname': drive.hostName,
    'public-keys': drive.sshKeys.map(({ publicKey }) => publicKey),
    ...(drive.variables ? { meta: drive.variables } : {}),
  };
  return [
    { path: 'meta-data', content: JSON.stringify(metaData) },
    { path: 'network-config', content: JSON.stringify(networkConfig(vm.nics)) },
    { path: 'vendor-data', content: vendorData(drive) ?? '' },
  ];
}
