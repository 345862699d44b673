import type { VmSpec } from '@millrace/agent-protocol';
import { joinXml, type RawXml, xml } from './xml.ts';

export interface DomainDisk {
  /** Absolute path of the overlay. */
  readonly path: string;
  readonly serial: string;
  /** What the overlay stands on, as its own header says. */
  readonly backing: { readonly path: string; readonly format: 'qcow2' | 'raw' } | undefined;
}

/** An image of an RBD pool, which QEMU itself reaches. */
export interface RbdSource {
  /** `POOL/IMAGE` */
  readonly name: string;
  /** `HOST` or `HOST:PORT`, IPv6 addresses in brackets. */
  readonly monitors: readonly string[];
  readonly user: string;
  /** The key, as libvirt knows it. */
  readonly secretUuid: string;
}

/** What a disk is: a file with this absolute path, or an image of an RBD pool. */
export type DiskPlace = { readonly path: string } | { readonly rbd: RbdSource };

/** A disk beside the root disk: a qcow2 file that stands on nothing, or a raw image of an RBD pool. */
export type DataDisk = DiskPlace & {
  readonly serial: string;
  /** From 1. */
  readonly position: number;
};

export interface DomainOptions {
  readonly virtType: 'kvm' | 'qemu';
  readonly disk: DomainDisk | { readonly rbd: RbdSource; readonly serial: string };
  readonly dataDisks?: readonly DataDisk[];
  /** The ISO in the drive. */
  readonly cdrom?: (DiskPlace & { readonly bootFirst: boolean }) | undefined;
  /** Absolute path of the file the serial console is logged to. */
  readonly consoleLogPath: string;
  /** Absolute path of the ISO with what is handed to the guest, if there is anything. */
  readonly configDrivePath?: string | undefined;
}

export const millraceNamespace = 'urn:millrace:domain:1';

/**
 * The libvirt domain of a VM (https://libvirt.org/formatdomain.html).
 *
 * - Disk formats, the backing file's included, are written out, so that nothing is ever probed: a guest that writes a
 *   qcow2 header onto a raw disk gains nothing.
 * - The template under the disk stays its owner's: libvirt would give it to QEMU's user, and a guest that breaks out of
 *   its QEMU could then write what the disks of all others stand on.
 * - `machine='pc'` with virtio: the widest set of guests boots from it, minimal kernels without AHCI included.
 * - The screen is reachable by a Unix socket in libvirt's own directory only: a port on loopback would be open to every
 *   user of the host.
 * - Every VM has a CD-ROM drive, so that an ISO can be put in while it runs; on IDE, which installers know without drivers.
 * - The config drive is on virtio-scsi: kernels made for clouds may have no driver for another.
 * - A guest that powers itself off or crashes leaves the domain shut off; it is started by the server alone.
 */
export function domainXml(vm: VmSpec, options: DomainOptions): string {
  const { virtType, disk, cdrom, consoleLogPath, configDrivePath } = options;
  const bootOrder = cdrom?.bootFirst ? ['cdrom', 'hd'] : ['hd'];
  // TCG: everything it can emulate, for guests whose user land wants x86-64-v2. KVM: what the CPU has, still migratable
  const cpu = virtType === 'kvm' ? xml`<cpu mode='host-model'/>` : xml`<cpu mode='maximum'/>`;
  return xml`<domain type='${virtType}'>
  <name>${vm.instanceName}</name>
  <uuid>${vm.uuid}</uuid>
  <metadata><millrace:vm xmlns:millrace='${millraceNamespace}'><millrace:uuid>${vm.uuid}</millrace:uuid><millrace:hostname>${vm.hostName}</millrace:hostname></millrace:vm></metadata>
  <memory unit='MiB'>${vm.memoryMiB}</memory>
  <vcpu placement='static'>${vm.cpus}</vcpu>
  <os><type arch='x86_64' machine='pc'>hvm</type>${joinXml(bootOrder.map((device) => xml`<boot dev='${device}'/>`))}</os>
  <features><acpi/><apic/></features>
  ${cpu}
  <clock offset='utc'/>
  <on_poweroff>destroy</on_poweroff>
  <on_reboot>restart</on_reboot>
  <on_crash>destroy</on_crash>
  <devices>
    ${'rbd' in disk ? rbdDiskXml(disk, 'vda') : diskXml(disk)}
    ${joinXml((options.dataDisks ?? []).map(dataDiskXml))}
    ${configDriveXml(configDrivePath)}
    ${cdromXml(cdrom)}
    ${joinXml(vm.nics.map(nicXml))}
    <serial type='pty'><log file='${consoleLogPath}' append='on'/><target port='0'/></serial>
    <console type='pty'><target type='serial' port='0'/></console>
    <channel type='unix'><target type='virtio' name='org.qemu.guest_agent.0'/></channel>
    <graphics type='vnc'><listen type='socket'/></graphics>
    <video><model type='vga'/></video>
    <rng model='virtio'><backend model='random'>/dev/urandom</backend></rng>
    <memballoon model='virtio'/>
  </devices>
</domain>
`.xml;
}

function diskXml(disk: DomainDisk): RawXml {
  const backing = disk.backing
    ? xml`<backingStore type='file'><format type='${disk.backing.format}'/><source file='${disk.backing.path}'><seclabel model='dac' relabel='no'/></source><backingStore/></backingStore>`
    : xml`<backingStore/>`;
  return xml`<disk type='file' device='disk'>
      <driver name='qemu' type='qcow2' cache='none' discard='unmap'/>
      <source file='${disk.path}'/>
      ${backing}
      <target dev='vda' bus='virtio'/>
      <serial>${disk.serial}</serial>
    </disk>`;
}

/** Raw, and never probed: what stands under a clone is the cluster's business, not QEMU's. */
function rbdDiskXml(disk: { readonly rbd: RbdSource; readonly serial: string }, target: string): RawXml {
  return xml`<disk type='network' device='disk'>
      <driver name='qemu' type='raw' cache='none' discard='unmap'/>
      ${rbdSourceXml(disk.rbd)}
      <target dev='${target}' bus='virtio'/>
      <serial>${disk.serial}</serial>
    </disk>`;
}

function rbdSourceXml({ name, monitors, user, secretUuid }: RbdSource): RawXml {
  const hosts = monitors.map((monitor) => {
    const [, host = monitor, port = '6789'] = /^(.*?)(?::(\d+))?$/.exec(monitor) ?? [];
    return xml`<host name='${host.replace(/^\[|\]$/g, '')}' port='${port}'/>`;
  });
  return xml`<source protocol='rbd' name='${name}'>${joinXml(hosts)}<auth username='${user}'><secret type='ceph' uuid='${secretUuid}'/></auth></source>`;
}

/** The disk as it is in a definition, and as `virsh attach-device` takes it. */
export function dataDiskXml(disk: DataDisk): RawXml {
  if ('rbd' in disk) return rbdDiskXml(disk, diskTarget(disk.position));
  return xml`<disk type='file' device='disk'>
      <driver name='qemu' type='qcow2' cache='none' discard='unmap'/>
      <source file='${disk.path}'/>
      <backingStore/>
      <target dev='${diskTarget(disk.position)}' bus='virtio'/>
      <serial>${disk.serial}</serial>
    </disk>`;
}

/** `vda` is the root disk's. */
export function diskTarget(position: number): string {
  return `vd${String.fromCharCode('a'.charCodeAt(0) + position)}`;
}

/** The drive as it is in a definition, and as `virsh update-device` takes it. Like a template, an ISO stays its owner's. */
export function cdromXml(place: DiskPlace | undefined): RawXml {
  if (place && 'rbd' in place)
    return xml`<disk type='network' device='cdrom'>
      <driver name='qemu' type='raw'/>
      ${rbdSourceXml(place.rbd)}
      <target dev='hdc' bus='ide'/>
      <readonly/>
    </disk>`;
  const source =
    place === undefined
      ? xml``
      : xml`<source file='${place.path}'><seclabel model='dac' relabel='no'/></source>`;
  return xml`<disk type='file' device='cdrom'>
      <driver name='qemu' type='raw'/>
      ${source}
      <target dev='hdc' bus='ide'/>
      <readonly/>
    </disk>`;
}

function configDriveXml(path: string | undefined): RawXml {
  if (path === undefined) return xml``;
  return xml`<controller type='scsi' index='0' model='virtio-scsi'/>
    <disk type='file' device='cdrom'>
      <driver name='qemu' type='raw'/>
      <source file='${path}'/>
      <backingStore/>
      <target dev='sda' bus='scsi'/>
      <readonly/>
    </disk>`;
}

function nicXml(nic: VmSpec['nics'][number]): RawXml {
  return xml`<interface type='network'><mac address='${nic.mac}'/><source network='${nic.network.name}'/><model type='virtio'/></interface>`;
}
