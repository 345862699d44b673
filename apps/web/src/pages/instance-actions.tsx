import { App, Button, Flex } from 'antd';
import type { Params } from '../api/call.ts';
import type { VirtualMachine } from '../api/entities.ts';
import { rememberJob } from '../api/jobs.ts';
import { useAction } from '../api/queries.ts';
import { text } from '../text/en.ts';
import { useComplaint } from '../ui/use-complaint.tsx';
import { Drive } from './instance-drive.tsx';

interface Action {
  readonly label: string;
  readonly command: string;
  /** States in which it makes sense; the server has the last word. */
  readonly states: readonly string[];
  readonly params: (id: string) => Params;
  /** What is lost: asked before. */
  readonly warning?: string;
  readonly forAdmin?: boolean;
}

const t = text.instances;
const byId = (id: string) => ({ id });

const actions: readonly Action[] = [
  { label: t.start, command: 'startVirtualMachine', states: ['Stopped'], params: byId },
  { label: t.stop, command: 'stopVirtualMachine', states: ['Running'], params: byId },
  { label: t.reboot, command: 'rebootVirtualMachine', states: ['Running'], params: byId },
  {
    label: t.migrate,
    command: 'migrateVirtualMachine',
    states: ['Running'],
    params: (virtualmachineid) => ({ virtualmachineid }),
    forAdmin: true,
  },
  {
    label: t.forceStop,
    command: 'stopVirtualMachine',
    states: ['Running', 'Stopping'],
    params: (id) => ({ id, forced: true }),
    warning: t.stopNote,
  },
  {
    label: t.reinstall,
    command: 'restoreVirtualMachine',
    states: ['Running', 'Stopped'],
    params: (virtualmachineid) => ({ virtualmachineid }),
    warning: t.reinstallNote,
  },
  { label: t.recover, command: 'recoverVirtualMachine', states: ['Destroyed'], params: byId },
  {
    label: t.destroy,
    command: 'destroyVirtualMachine',
    states: ['Running', 'Stopped', 'Error', 'Starting'],
    params: byId,
    warning: t.destroyNote,
  },
  {
    label: t.expunge,
    command: 'expungeVirtualMachine',
    states: ['Destroyed', 'Error'],
    params: byId,
    warning: t.expungeNote,
  },
];

export function InstanceActions({ vm, isAdmin }: { readonly vm: VirtualMachine; readonly isAdmin: boolean }) {
  const possible = actions.filter(
    ({ states, forAdmin }) => states.includes(vm.state ?? '') && (isAdmin || !forAdmin),
  );
  return (
    <Flex gap="small" wrap>
      {possible.map((action) => (
        <ActionButton key={action.label} action={action} vm={vm} />
      ))}
      {['Running', 'Stopped'].includes(vm.state ?? '') && <Drive vm={vm} />}
    </Flex>
  );
}

function ActionButton({ action, vm }: { readonly action: Action; readonly vm: VirtualMachine }) {
  const { modal } = App.useApp();
  const complain = useComplaint();
  const run = useAction(action.command);
  const name = vm.displayname ?? vm.name ?? '';
  const perform = async () => {
    try {
      const answer = await run.mutateAsync(action.params(vm.id ?? ''));
      const { jobid } = answer;
      if (typeof jobid === 'string')
        rememberJob({ jobid, title: `${action.label}: ${name}`, path: `/instances/${vm.id}` });
    } catch (error) {
      complain(error);
    }
  };
  const ask = () => {
    if (action.warning === undefined) return void perform();
    modal.confirm({
      title: t.sure(action.label, name),
      content: action.warning,
      okText: action.label,
      okButtonProps: { danger: true },
      cancelText: t.cancel,
      onOk: perform,
    });
  };
  return (
    <Button onClick={ask} loading={run.isPending} danger={action.warning !== undefined}>
      {action.label}
    </Button>
  );
}
