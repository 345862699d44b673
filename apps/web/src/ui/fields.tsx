import { Form, Input, Select } from 'antd';
import { text } from '../text/en.ts';

const required = [{ required: true, message: text.register.required }];

/** A line of a form. */
export function TextField(props: {
  readonly name: string;
  readonly label: string;
  readonly note?: string;
  readonly placeholder?: string;
  readonly optional?: boolean;
  readonly first?: boolean;
}) {
  return (
    <Form.Item
      name={props.name}
      label={props.label}
      extra={props.note}
      rules={props.optional ? [] : required}
    >
      <Input autoFocus={props.first ?? false} spellCheck={false} placeholder={props.placeholder ?? ''} />
    </Form.Item>
  );
}

interface Named {
  readonly id?: string | undefined;
  readonly name?: string | undefined;
}

/** One of the rows that a list gave. */
export function ChoiceField(props: {
  readonly name: string;
  readonly label: string;
  readonly rows: readonly Named[];
  readonly note?: string;
  readonly optional?: boolean;
}) {
  return (
    <Form.Item
      name={props.name}
      label={props.label}
      extra={props.note}
      rules={props.optional ? [] : required}
    >
      <Select
        allowClear={props.optional ?? false}
        showSearch={{ optionFilterProp: 'label' }}
        options={props.rows.map(({ id, name }) => ({ value: id ?? '', label: name ?? '' }))}
      />
    </Form.Item>
  );
}
