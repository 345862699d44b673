import { CopyOutlined } from '@ant-design/icons';
import { App, Button, Dropdown } from 'antd';
import type { Params } from '../api/call.ts';
import { text } from '../text/en.ts';

/** `deployVirtualMachine` as the CLI writes it: `deploy virtualmachine`. */
export function cliLine(command: string, params: Params): string {
  const verb = /^[a-z]+/.exec(command)?.[0] ?? command;
  const words = [
    verb,
    command.slice(verb.length).toLowerCase(),
    ...given(params).map(([n, v]) => `${n}=${quoted(v)}`),
  ];
  return `millrace ${words.join(' ')}`;
}

/** To be signed or sent in a session: keys are nobody's business on a clipboard. */
export function apiCall(command: string, params: Params): string {
  const query = new URLSearchParams({ command, response: 'json', ...Object.fromEntries(given(params)) });
  return `${window.location.origin}/client/api?${query}`;
}

function given(params: Params): [string, string][] {
  return Object.entries(params).flatMap(([name, value]) =>
    value === undefined || value === '' ? [] : [[name, String(value)]],
  );
}

function quoted(value: string): string {
  return /^[\w.:/@%+,=-]+$/.test(value) ? value : `'${value.replaceAll("'", String.raw`'\''`)}'`;
}

/** What a form or a button is about to do, for a script. */
export function CopyAs({ command, params }: { readonly command: string; readonly params: Params }) {
  const { message } = App.useApp();
  const copy = async (what: string) => {
    try {
      await navigator.clipboard.writeText(what);
      void message.success(text.copy.done);
    } catch {
      // no clipboard without https: it can be copied by hand
      void message.info(what, 20);
    }
  };
  const items = [
    { key: 'cli', label: text.copy.cli, onClick: () => void copy(cliLine(command, params)) },
    { key: 'api', label: text.copy.api, onClick: () => void copy(apiCall(command, params)) },
  ];
  return (
    <Dropdown menu={{ items }} trigger={['click']}>
      <Button icon={<CopyOutlined />}>{text.copy.title}</Button>
    </Dropdown>
  );
}
