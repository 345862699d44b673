import { answerStatus } from '../send-file.ts';
import { type FaultCall, type FaultTable, parameter } from './fault.ts';

function redirect(call: FaultCall, location: string, code = 302): void {
  answerStatus(call, code, { location });
}

export const redirectFaults: FaultTable = {
  /** `?hops=` redirects, then the file. */
  redirect: (call) => {
    const hops = parameter(call, 'hops', 1);
    redirect(call, hops > 1 ? `/redirect/${call.name}?hops=${hops - 1}` : `/ok/${call.name}`);
  },
  'redirect-loop': (call) => redirect(call, call.url.pathname),
  'redirect-to': (call) => redirect(call, call.url.searchParams.get('url') ?? '', 307),
  'redirect-nowhere': (call) => answerStatus(call, 302),
  /** To another one of the `?url=`s with every request, as content networks do. */
  'redirect-each': (call) => {
    const urls = call.url.searchParams.getAll('url');
    redirect(call, urls[(call.visit - 1) % urls.length] ?? '', 307);
  },
  /** To a presigned URL that is good for `?uses=` requests: whoever keeps it too long has to come back here. */
  'redirect-expiring': (call) =>
    redirect(call, `/presigned/${call.name}?uses=${parameter(call, 'uses', 1)}&token=${call.visit}`),
};
