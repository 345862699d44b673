import { Alert, Button } from 'antd';
import { CallFailure } from '../api/call.ts';
import { text } from '../text/en.ts';

/** What went wrong, in the server's words: they name the cause and the next step. */
export function Failure({ error, retry }: { readonly error: unknown; readonly retry?: () => void }) {
  if (!error) return null;
  const code = error instanceof CallFailure && error.errorcode > 0 ? ` (${error.errorcode})` : '';
  const message = error instanceof Error ? error.message : String(error);
  return (
    <Alert
      type="error"
      showIcon
      role="alert"
      title={`${text.failure.title}${code}`}
      description={<span style={{ whiteSpace: 'pre-wrap', overflowWrap: 'anywhere' }}>{message}</span>}
      {...(retry ? { action: <Button onClick={retry}>{text.failure.retry}</Button> } : {})}
    />
  );
}
