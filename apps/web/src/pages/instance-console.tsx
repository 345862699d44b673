import { Flex, Segmented, Skeleton } from 'antd';
import { lazy, Suspense, useState } from 'react';
import type { VirtualMachine } from '../api/entities.ts';
import { openConsole } from '../console/console-socket.ts';
import { text } from '../text/en.ts';
import { SerialConsole } from './serial-console.tsx';

const t = text.console;
const Screen = lazy(async () => ({ default: (await import('../console/screen-console.tsx')).ScreenConsole }));
const Serial = lazy(async () => ({
  default: (await import('../console/serial-terminal.tsx')).SerialTerminal,
}));

type Kind = 'screen' | 'serial' | 'log';

/** A guest's screen, its serial line, and what it wrote there, which can be read when it no longer runs too. */
export function InstanceConsole({ vm }: { readonly vm: VirtualMachine }) {
  const id = vm.id ?? '';
  const running = vm.state === 'Running';
  const [wanted, setWanted] = useState<Kind>('screen');
  const kind = running ? wanted : 'log';
  return (
    <Flex vertical gap="middle">
      <Flex gap="small">
        <Segmented<Kind>
          aria-label={text.instances.console}
          value={kind}
          onChange={setWanted}
          options={[
            { value: 'screen', label: t.screen, disabled: !running },
            { value: 'serial', label: t.serial, disabled: !running },
            { value: 'log', label: t.log },
          ]}
        />
        {!running && <span className="muted">{t.notRunning}</span>}
      </Flex>
      <Suspense fallback={<Skeleton active />}>
        {kind === 'screen' && <Screen open={() => openConsole(id, 'screen')} />}
        {kind === 'serial' && <Serial open={() => openConsole(id, 'serial')} />}
        {kind === 'log' && <SerialConsole id={id} />}
      </Suspense>
    </Flex>
  );
}
