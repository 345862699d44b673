import { App, Button } from 'antd';
import { useState } from 'react';
import type { Template } from '../api/entities.ts';
import { jobResult } from '../api/jobs.ts';
import { useAction } from '../api/queries.ts';
import { text } from '../text/en.ts';
import { useComplaint } from '../ui/use-complaint.tsx';
import type { ImageKind } from './image-kind.ts';

const t = text.templates;

/** Asks for a link to the image and shows it: whoever has it may read the image until it expires. */
export function Download({ template, kind }: { readonly template: Template; readonly kind: ImageKind }) {
  const { modal } = App.useApp();
  const complain = useComplaint();
  const run = useAction(kind.extract);
  const [busy, setBusy] = useState(false);
  const ask = async () => {
    setBusy(true);
    try {
      const { jobid } = await run.mutateAsync({ id: template.id, mode: 'HTTP_DOWNLOAD' });
      const { template: offer } = await jobResult(String(jobid));
      const { url, status } = offer as { readonly url: string; readonly status: string };
      modal.info({
        title: t.download,
        content: (
          <>
            <p>{status}</p>
            <a className="prose" href={url} rel="noreferrer">
              {url}
            </a>
          </>
        ),
      });
    } catch (error) {
      complain(error);
    }
    setBusy(false);
  };
  return (
    <Button loading={busy} onClick={() => void ask()}>
      {t.download}
    </Button>
  );
}
