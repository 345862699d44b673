import { Alert, Button } from 'antd';
import { CallFailure } from '../api/call.ts';
import { text } from '../text/en.ts';

/** What went wrong, in the server's words: they name the cause and the next step. */
export function Failure({ error, retry }: { readonly error: unknown; readonly retry?: () => void }) {
  if (!error) return null;
  const code = error instanceof CallFailure && error.errorcode > 0 ? ` (${error.errorcode})` : '';
  const correlation = error instanceof CallFailure ? error.correlation : undefined;
  return (
    <Alert
      type="error"
      showIcon
      role="alert"
      title={`${text.failure.title}${code}`}
      description={
        <>
          <div className="prose">{wordsOf(error)}</div>
          {correlation && <small>{text.failure.correlation(correlation)}</small>}
        </>
      }
      {...(retry ? { action: <Button onClick={retry}>{text.failure.retry}</Button> } : {})}
    />
  );
}

/** What is said where there is no room for more than a line. */
export function wordsOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
