import { readFile, writeFile } from 'node:fs/promises';
import { hasErrorCode, runProgram, sleep } from '@millrace/core';

/** A VM made by libvirt's own tools, for tests of what lies below Millrace. */
export interface TestDomain {
  readonly name: string;
  /** Everything the guest wrote to its serial port so far. */
  console(): Promise<string>;
  /** Waits for text on the serial port. */
  says(pattern: RegExp): Promise<string>;
  virsh(command: string, ...argv: string[]): Promise<string>;
  untilState(state: string): Promise<void>;
}

export interface DomainOptions {
  readonly name: string;
  readonly diskPath: string;
  readonly memoryMiB: number;
  readonly signal: AbortSignal;
}

/** Defines and starts a VM without network, emulated, with its serial port logged. */
export async function startDomain(options: DomainOptions): Promise<TestDomain> {
  const { name, signal } = options;
  const log = `/var/log/libvirt/qemu/${name}-serial.log`;
  const virsh = async (command: string, ...argv: string[]) =>
    (await runProgram('virsh', ['-q', '-c', 'qemu:///system', command, ...argv], { signal })).stdout;
  const console = async () => {
    try {
      return await readFile(log, 'utf8');
    } catch (error) {
      if (hasErrorCode(error, 'ENOENT')) return '';
      throw error;
    }
  };
  const xml = `${options.diskPath}.xml`;
  await writeFile(xml, domainXml(options, log));
  await virsh('define', xml);
  await virsh('start', name);
  return {
    name,
    console,
    virsh,
    async says(pattern) {
      for (;;) {
        const found = pattern.exec(await console());
        if (found) return found[0];
        await sleep(50, signal);
      }
    },
    async untilState(state) {
      while ((await virsh('domstate', name)).trim() !== state) await sleep(50, signal);
    },
  };
}

function domainXml({ name, diskPath, memoryMiB }: DomainOptions, log: string): string {
  return `<domain type='qemu'>
  <name>${name}</name>
  <memory unit='MiB'>${memoryMiB}</memory>
  <vcpu>1</vcpu>
  <os><type arch='x86_64' machine='pc'>hvm</type></os>
  <features><acpi/></features>
  <devices>
    <disk type='file' device='disk'>
      <driver name='qemu' type='qcow2' cache='none'/>
      <source file='${diskPath}'/>
      <target dev='vda' bus='virtio'/>
    </disk>
    <serial type='pty'><log file='${log}' append='on'/></serial>
  </devices>
</domain>`;
}
