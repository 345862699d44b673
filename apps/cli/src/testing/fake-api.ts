import assert from 'node:assert/strict';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import { signRequest } from '@millrace/api-client';

export interface Call {
  readonly command: string;
  readonly method: string;
  readonly params: Readonly<Record<string, string>>;
}

export type Reply =
  | { readonly answer: object }
  | { readonly error: { errorcode: number; cserrorcode?: number; errortext: string } }
  | 'hang'
  | 'reset';

const param = (name: string, type = 'string', required = false) => ({
  name,
  type,
  required,
  length: 255,
  description: `the ${name} to use`,
});
const field = (name: string, type = 'string') => ({ name, type, description: `the ${name} of it` });
const api = (name: string, isasync: boolean, params: object[], response: object[]) => ({
  name,
  isasync,
  description: `Describes ${name}`,
  params,
  response,
});

/** A few commands, described as `listApis` does. */
export const someApis = [
  api(
    'listZones',
    false,
    [param('id', 'uuid'), param('name'), param('listall', 'boolean')],
    ['id', 'name', 'networktype', 'allocationstate'].map((name) => field(name)),
  ),
  api(
    'listTemplates',
    false,
    [param('templatefilter', 'string', true), param('id', 'uuid')],
    [field('id'), field('name')],
  ),
  api(
    'registerTemplate',
    false,
    [
      param('directdownload', 'boolean'),
      param('name', 'string', true),
      param('url', 'string', true),
      param('details', 'map'),
      param('zoneid', 'uuid'),
    ],
    [field('id'), field('name')],
  ),
  api(
    'deployVirtualMachine',
    true,
    [
      param('templateid', 'uuid', true),
      param('zoneid', 'uuid', true),
      param('userdata'),
      { ...param('group'), description: 'the group (refused: there are no groups)' },
    ],
    [field('id'), field('state')],
  ),
  api('listVirtualMachines', false, [param('id', 'uuid')], [field('id'), field('name'), field('state')]),
  api('stopVirtualMachine', true, [param('id', 'uuid', true), param('forced', 'boolean')], [field('id')]),
  api('queryAsyncJobResult', false, [param('jobid', 'uuid', true)], [field('jobid')]),
];

/** An API server on loopback that checks signatures (key AK, secret SK) and answers as told. */
export async function startFakeApi(reply: (call: Call, count: number) => Reply | undefined) {
  const calls: Call[] = [];
  const respond = async (request: IncomingMessage, response: ServerResponse) => {
    let body = '';
    for await (const chunk of request) body += chunk;
    const { searchParams } = new URL(request.url ?? '/', 'http://localhost');
    const params = Object.fromEntries([...searchParams, ...new URLSearchParams(body)]);
    const call = { command: params['command'] ?? '', method: request.method ?? '', params };
    calls.push(call);
    const given = isAuthentic(params)
      ? (reply(call, calls.length) ?? builtIn(call))
      : { error: { errorcode: 401, cserrorcode: 4290, errortext: 'unable to verify user credentials' } };
    if (given === 'hang') return;
    if (given === 'reset') return void request.socket.resetAndDestroy();
    response.writeHead('error' in given ? given.error.errorcode : 200, {
      'content-type': 'application/json',
    });
    const inner = 'error' in given ? { uuidList: [], ...given.error } : given.answer;
    response.end(JSON.stringify({ [`${call.command.toLowerCase()}response`]: inner }));
  };
  const server = createServer((request, response) => {
    respond(request, response).catch(() => response.destroy());
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const address = server.address();
  assert(typeof address === 'object' && address !== null);
  return {
    url: `http://127.0.0.1:${address.port}/client/api`,
    calls,
    /** What was called, listApis left out. */
    commands: () => calls.map((call) => call.command).filter((command) => command !== 'listApis'),
    async [Symbol.asyncDispose]() {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

function isAuthentic(params: Record<string, string>): boolean {
  const { signature, ...rest } = params;
  return rest['apiKey'] === 'AK' && signature === signRequest(rest, 'SK');
}

function builtIn(call: Call): Reply {
  if (call.command === 'listApis') return { answer: { count: someApis.length, api: someApis } };
  return { error: { errorcode: 432, cserrorcode: 9999, errortext: `unknown command ${call.command}` } };
}
