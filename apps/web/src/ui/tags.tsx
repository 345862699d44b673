import { CloseOutlined } from '@ant-design/icons';
import { Button, Flex, Form, Input, Tag, Typography } from 'antd';
import { rememberJob } from '../api/jobs.ts';
import { useMay } from '../api/permissions.ts';
import { useAction } from '../api/queries.ts';
import { text } from '../text/en.ts';
import { FormDialog } from './form-dialog.tsx';
import { useComplaint } from './use-complaint.tsx';

const t = text.tags;

interface OneTag {
  readonly key?: string | undefined;
  readonly value?: string | undefined;
}

/** What the API calls the kinds of things that have tags. */
type TaggedType = 'UserVm' | 'Template' | 'ISO' | 'Volume' | 'Network';

/** `env=prod, tier=web` */
export function tagsText(tags: readonly OneTag[] | undefined): string {
  return (tags ?? []).map(({ key, value }) => `${key}=${value}`).join(', ') || '–';
}

/** The tags of one thing, each with what takes it off, and what puts on another. */
export function Tags(props: {
  readonly type: TaggedType;
  readonly id: string;
  readonly name: string;
  readonly tags: readonly OneTag[] | undefined;
}) {
  const { type, id, name, tags = [] } = props;
  const may = useMay();
  return (
    <Flex gap="small" wrap align="center">
      {tags.length === 0 && <Typography.Text type="secondary">{t.none}</Typography.Text>}
      {tags.map((tag) => (
        <Tag key={tag.key} style={{ marginInlineEnd: 0 }}>
          {`${tag.key}=${tag.value}`}
          {may('deleteTags') && <Remove {...props} tag={tag} />}
        </Tag>
      ))}
      {may('createTags') && (
        <FormDialog<{ readonly key?: string; readonly value?: string }>
          title={t.add}
          label={`${t.add}: ${name}`}
          command="createTags"
          params={({ key, value }) => ({
            resourceids: id,
            resourcetype: type,
            'tags[0].key': key,
            'tags[0].value': value,
          })}
        >
          <Form.Item name="key" label={t.key} rules={[{ required: true, message: text.register.required }]}>
            <Input autoFocus spellCheck={false} />
          </Form.Item>
          <Form.Item
            name="value"
            label={t.value}
            rules={[{ required: true, message: text.register.required }]}
          >
            <Input spellCheck={false} />
          </Form.Item>
        </FormDialog>
      )}
    </Flex>
  );
}

function Remove({ type, id, tag }: { readonly type: TaggedType; readonly id: string; readonly tag: OneTag }) {
  const complain = useComplaint();
  const remove = useAction('deleteTags');
  const perform = async () => {
    try {
      const answer = await remove.mutateAsync({
        resourceids: id,
        resourcetype: type,
        'tags[0].key': tag.key,
      });
      const { jobid } = answer;
      const title = `${t.remove}: ${tag.key}`;
      if (typeof jobid === 'string') rememberJob({ jobid, title, path: `/jobs/${jobid}` });
    } catch (error) {
      complain(error);
    }
  };
  return (
    <Button
      type="text"
      size="small"
      icon={<CloseOutlined />}
      loading={remove.isPending}
      aria-label={`${t.remove}: ${tag.key}`}
      onClick={() => void perform()}
    />
  );
}
