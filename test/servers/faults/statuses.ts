import { answerStatus, sendFile } from '../send-file.ts';
import {
  afterVisits,
  atFirst,
  type FaultCall,
  type FaultTable,
  onRanges,
  parameter,
  status,
} from './fault.ts';

/** The user and password that `/auth/` wants. */
export const basicCredentials = { user: 'reader', password: 'open sesame' } as const;

const retryAfter = (call: FaultCall) => ({ 'retry-after': call.url.searchParams.get('seconds') ?? '1' });

/** Answers other than the file, and what a client must do to get it. */
export const statusFaults: FaultTable = {
  '204': status(204),
  '304': status(304),
  '401': status(401, () => ({ 'www-authenticate': 'Basic realm="x"' })),
  '403': status(403),
  '404': status(404),
  '410': status(410),
  '412': status(412),
  '500': status(500),
  '503': status(503),
  '500-then-ok': atFirst(status(500)),
  '503-retry-after': atFirst(status(503, retryAfter)),
  '429-retry-after': atFirst(status(429, retryAfter)),
  '403-after-%': afterVisits(status(403)),
  '404-after-%': afterVisits(status(404)),
  '500-after-%': afterVisits(status(500)),
  /** 416 for every range, whether it is there or not. */
  '416': onRanges(status(416, (call) => ({ 'content-range': `bytes */${call.file.sizeBytes}` }))),
  '416-after-%': afterVisits(
    onRanges(status(416, (call) => ({ 'content-range': `bytes */${call.file.sizeBytes}` }))),
  ),
  'busy-every-other': (call) =>
    call.visit % 2 === 0 ? answerStatus(call, 503, { 'retry-after': '0' }) : sendFile(call),
  /** More requests at the same time than the number are told to come back. */
  'at-most-%': (call) =>
    call.active > call.number ? answerStatus(call, 503, { 'retry-after': '1' }) : sendFile(call),
  /** A presigned URL: `?uses=` GET requests (by default one), nothing else, and then never again. */
  presigned: (call) =>
    call.request.method === 'GET' && call.visit <= parameter(call, 'uses', 1)
      ? sendFile(call)
      : answerStatus(call, 403),
  auth: (call) => {
    const { user, password } = basicCredentials;
    const wanted = `Basic ${Buffer.from(`${user}:${password}`).toString('base64')}`;
    if (call.request.headers.authorization === wanted) return sendFile(call);
    return answerStatus(call, 401, { 'www-authenticate': 'Basic realm="images"' });
  },
  /** Wants the request header `?name=` with the value `?value=`. */
  header: (call) => {
    const { searchParams } = call.url;
    const given = call.request.headers[(searchParams.get('name') ?? '').toLowerCase()];
    return given === searchParams.get('value') ? sendFile(call) : answerStatus(call, 403);
  },
};
