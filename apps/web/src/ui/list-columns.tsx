import { TableOutlined } from '@ant-design/icons';
import { Button, Checkbox, Flex, Popover, type TableColumnType } from 'antd';
import { useState } from 'react';
import { text } from '../text/en.ts';

/** A column of a list. Its title is its name: by it the reader chooses. */
export interface ListColumn<T> extends TableColumnType<T> {
  readonly title: string;
  /** What the server calls the order by this column; absent where it knows none. */
  readonly sortBy?: string;
  /** Shown only to those who ask for it. */
  readonly optional?: boolean;
}

/** Which columns of a list are shown: the reader's choice, kept in the browser. */
export function useColumnChoice<T>(name: string, columns: readonly ListColumn<T>[]) {
  const storageKey = `millrace-columns-${name}`;
  const [chosen, setChosen] = useState(() => remembered(storageKey));
  const shown = chosen ?? columns.filter(({ optional }) => !optional).map(({ title }) => title);
  const choose = (titles: readonly string[]) => {
    localStorage.setItem(storageKey, JSON.stringify(titles));
    setChosen(titles);
  };
  return { shown, choose };
}

function remembered(storageKey: string): readonly string[] | undefined {
  try {
    const value: unknown = JSON.parse(localStorage.getItem(storageKey) ?? 'null');
    return Array.isArray(value) && value.length > 0 ? value.map(String) : undefined;
  } catch {
    return undefined;
  }
}

export function ColumnChoice(props: {
  readonly label: string;
  readonly titles: readonly string[];
  readonly shown: readonly string[];
  readonly choose: (titles: readonly string[]) => void;
}) {
  const { titles, shown, choose } = props;
  const toggle = (title: string, on: boolean) =>
    choose(titles.filter((other) => (other === title ? on : shown.includes(other))));
  const content = (
    <Flex vertical gap="small">
      {titles.map((title) => (
        <Checkbox
          key={title}
          checked={shown.includes(title)}
          // a list without columns says nothing
          disabled={shown.length === 1 && shown.includes(title)}
          onChange={({ target }) => toggle(title, target.checked)}
        >
          {title}
        </Checkbox>
      ))}
    </Flex>
  );
  return (
    <Popover content={content} title={text.list.columns} trigger="click" placement="bottomRight">
      <Button icon={<TableOutlined />} aria-label={`${text.list.columns}: ${props.label}`}>
        {text.list.columns}
      </Button>
    </Popover>
  );
}
