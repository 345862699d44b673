import { Alert, Button, Flex } from 'antd';
import type { ReactNode, RefObject } from 'react';
import { text } from '../text/en.ts';
import { StateTag } from '../ui/state-tag.tsx';
import type { ConsoleState } from './use-console.ts';

const t = text.console;

/** What is around a console: what can be done with it, whether it is connected, and how it is connected again. */
export function ConsoleFrame(props: {
  readonly label: string;
  readonly element: RefObject<HTMLDivElement | null>;
  readonly state: ConsoleState;
  readonly again: () => void;
  readonly note: string;
  readonly actions?: ReactNode;
}) {
  const { state, element } = props;
  return (
    <Flex vertical gap="small" className="console">
      <Flex gap="small" align="center" wrap>
        <span role="status">
          <StateTag state={t[state.now]} />
        </span>
        {state.now === 'open' && props.actions}
        <Button size="small" onClick={() => void element.current?.requestFullscreen()}>
          {t.fullScreen}
        </Button>
        <span className="muted">{props.note}</span>
      </Flex>
      {state.now === 'ended' && (
        <Alert
          type="warning"
          showIcon
          title={state.reason}
          action={
            <Button size="small" onClick={props.again}>
              {t.again}
            </Button>
          }
        />
      )}
      {/* what is shown in it takes the keyboard by itself */}
      <section ref={element} className="console-view" aria-label={props.label} />
    </Flex>
  );
}
