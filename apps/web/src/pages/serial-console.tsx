import { Flex, Typography } from 'antd';
import { useEffect, useRef, useState } from 'react';
import { call, isObject } from '../api/call.ts';
import { text } from '../text/en.ts';
import { Failure } from '../ui/failure.tsx';

const pollMs = 1000;
const chunkBytes = 65_536;
/** More than this is not kept in the page. */
const mostCharacters = 500_000;

/** What the guest wrote to its serial console, and what it goes on to write. */
export function SerialConsole({ id }: { readonly id: string }) {
  const [output, setOutput] = useState('');
  const [error, setError] = useState<unknown>();
  const end = useRef<HTMLDivElement>(null);
  useEffect(() => {
    const leaving = new AbortController();
    const { signal } = leaving;
    const follow = async () => {
      for (let offset = 0; !signal.aborted; ) {
        try {
          const part = await readFrom(id, offset, signal);
          setError(undefined);
          if (part.output !== '') setOutput((old) => (old + part.output).slice(-mostCharacters));
          const more = part.nextoffset - offset >= chunkBytes;
          offset = part.nextoffset;
          if (more) continue;
        } catch (failure) {
          if (signal.aborted) return;
          setError(failure);
        }
        await new Promise((resolve) => setTimeout(resolve, pollMs));
      }
    };
    void follow();
    return () => leaving.abort(new Error('the page was left'));
  }, [id]);
  // biome-ignore lint/correctness/useExhaustiveDependencies: it follows the output
  useEffect(() => {
    end.current?.scrollIntoView({ block: 'nearest' });
  }, [output]);
  return (
    <Flex vertical gap="small">
      <Typography.Text type="secondary">{text.instances.consoleNote}</Typography.Text>
      <Failure error={error} />
      {/* biome-ignore lint/a11y/noNoninteractiveTabindex: it scrolls, so the keyboard must reach it */}
      <section className="terminal" tabIndex={0} aria-label={text.instances.console}>
        {output === '' ? text.instances.consoleEmpty : output}
        <div ref={end} />
      </section>
    </Flex>
  );
}

async function readFrom(id: string, offset: number, signal: AbortSignal) {
  const content = await call('getVirtualMachineConsoleOutput', { id, offset, limit: chunkBytes }, signal);
  const answer = content['consoleoutput'];
  if (!isObject(answer)) return { output: '', nextoffset: offset };
  const { output, nextoffset } = answer;
  return {
    // sequences for terminals say nothing in a page
    output: typeof output === 'string' ? withoutEscapes(output) : '',
    nextoffset: typeof nextoffset === 'number' ? nextoffset : offset,
  };
}

function withoutEscapes(output: string): string {
  return output.replaceAll(/\u001b(?:\[[0-9;?]*[A-Za-z]|[()][A-Z0-9]|c)/g, '').replaceAll('\r', '');
}
