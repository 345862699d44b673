import { Flex } from 'antd';
import type { ImageStore, Zone } from '../api/entities.ts';
import { useMay } from '../api/permissions.ts';
import { useRows } from '../api/queries.ts';
import { text } from '../text/en.ts';
import { AskButton } from '../ui/ask-button.tsx';
import { ChoiceField, TextField } from '../ui/fields.tsx';
import { FormDialog } from '../ui/form-dialog.tsx';
import { ListTable } from '../ui/list-table.tsx';
import { Page } from '../ui/page.tsx';
import { formatBytes } from '../ui/quantities.ts';
import { Share } from '../ui/share.tsx';

const t = text.imageStores;

/** Secondary storage: where images lie that hosts do not fetch from their sources. What a server cannot do is not offered. */
export function ImageStores() {
  const may = useMay();
  return (
    <Page title={t.title} note={t.note} actions={may('addImageStore') && <Add />}>
      <ListTable<ImageStore>
        command="listImageStores"
        label={t.title}
        rowKey={({ id }) => id ?? ''}
        empty={t.empty}
        columns={[
          {
            title: t.name,
            render: (_: unknown, { name, readonly }) => (readonly ? `${name} (${t.readonly})` : name),
          },
          { title: t.provider, dataIndex: 'providername' },
          { title: t.url, render: (_: unknown, { url }) => <span className="address">{url}</span> },
          {
            title: t.used,
            render: (_: unknown, { name, disksizeused, disksizetotal }) => (
              <Share
                plain
                label={`${t.used}: ${name}`}
                used={disksizeused}
                total={disksizetotal}
                format={formatBytes}
              />
            ),
          },
          { title: text.instances.zone, render: (_: unknown, { zonename }) => zonename ?? '–' },
          {
            title: text.keys.action,
            render: (_: unknown, { id, name = '', readonly = false }) => (
              <Flex gap="small">
                {may('updateImageStore') && (
                  <AskButton
                    action={readonly ? t.open : t.close}
                    command="updateImageStore"
                    params={{ id, readonly: !readonly }}
                    name={name}
                  />
                )}
                {may('deleteImageStore') && (
                  <AskButton
                    action={text.hosts.remove}
                    command="deleteImageStore"
                    params={{ id }}
                    name={name}
                    warning={t.removeNote}
                  />
                )}
              </Flex>
            ),
          },
        ]}
      />
    </Page>
  );
}

function Add() {
  const zones = useRows<Zone>('listZones', { page: 1, pagesize: 500 }, { live: false }).data?.rows ?? [];
  const [zone] = zones;
  if (!zone) return null;
  return (
    <FormDialog
      primary
      title={t.add}
      command="addImageStore"
      initial={{ zoneid: zone.id }}
      params={(fields: { readonly url?: string; readonly zoneid?: string | undefined }) => ({
        provider: fields.url?.startsWith('file:') ? 'Local' : 'NFS',
        ...fields,
      })}
    >
      <TextField first name="name" label={t.name} />
      <TextField name="url" label={t.url} placeholder="nfs://10.0.0.5/images, file:///srv/images" />
      <ChoiceField name="zoneid" label={text.instances.zone} rows={zones} />
    </FormDialog>
  );
}
