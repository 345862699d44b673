import { allSpecs, type CommandSpec, type FieldSpec, type FieldSpecs, type ParamSpec } from '@millrace/api';

type Schema = Readonly<Record<string, unknown>>;

/**
 * The API as OpenAPI 3.1. CloudStack's API has one path for all commands and OpenAPI wants one for each operation: the
 * fragment tells them apart, and HTTP clients do not send it. Parameters go into the form, where the command stands too.
 */
export function openApiDocument(): Schema {
  return {
    openapi: '3.1.0',
    info: {
      title: 'Millrace',
      version: '0.1.0',
      description: 'Apache CloudStack’s API of a KVM cloud. Generated from the registry of commands.',
      license: { name: 'Apache-2.0', identifier: 'Apache-2.0' },
    },
    servers: [{ url: '/' }],
    // a signed request, or a session with the key that login answered
    security: [
      { apiKey: [], signature: [] },
      { sessionCookie: [], sessionKey: [] },
    ],
    paths: Object.fromEntries(
      allSpecs.map((spec) => [`/client/api#${spec.name}`, { post: operation(spec) }]),
    ),
    components: {
      securitySchemes: {
        apiKey: { type: 'apiKey', in: 'query', name: 'apiKey' },
        signature: {
          type: 'apiKey',
          in: 'query',
          name: 'signature',
          description: 'Base64 of the HMAC-SHA1 of the sorted, lower-cased parameters with the secret key',
        },
        sessionCookie: { type: 'apiKey', in: 'cookie', name: 'JSESSIONID' },
        sessionKey: { type: 'apiKey', in: 'query', name: 'sessionkey' },
      },
      schemas: { Error: errorSchema },
    },
  };
}

const errorSchema = {
  type: 'object',
  description: 'One key, named after the command, or errorresponse',
  additionalProperties: {
    type: 'object',
    required: ['uuidList', 'errorcode', 'cserrorcode', 'errortext'],
    properties: {
      uuidList: { type: 'array', items: {} },
      errorcode: { type: 'integer', description: 'the HTTP status too' },
      cserrorcode: { type: 'integer' },
      errortext: { type: 'string' },
    },
  },
} as const;

function operation(spec: CommandSpec): Schema {
  const params = Object.entries(spec.params);
  const required = params.filter(([, param]) => param.required && param.type !== 'map').map(([name]) => name);
  const schema = {
    type: 'object',
    required: ['command', 'response', ...required],
    properties: {
      command: { const: spec.name },
      response: { const: 'json' },
      ...Object.fromEntries(params.map(([name, param]) => [name, paramSchema(name, param)])),
    },
  };
  return {
    operationId: spec.name,
    summary: spec.description,
    ...(spec.anonymous ? { security: [] } : {}),
    requestBody: { required: true, content: { 'application/x-www-form-urlencoded': { schema } } },
    responses: {
      '200': {
        description: spec.isAsync ? 'The job that was begun' : 'What the command answers',
        content: { 'application/json': { schema: answerSchema(spec) } },
      },
      default: {
        description: 'Why it was not done',
        content: { 'application/json': { schema: { $ref: '#/components/schemas/Error' } } },
      },
    },
  };
}

function paramSchema(name: string, param: ParamSpec): Schema {
  const { unsupported } = param;
  const notes = [
    param.description,
    ...(param.type === 'map' ? [`sent as ${name}[0].KEY=VALUE`] : []),
    ...(param.type === 'list' ? ['separated by commas'] : []),
    ...(unsupported ? [`${unsupported.effect}: ${unsupported.reason}`] : []),
  ];
  return {
    ...paramTypes[param.type],
    ...(param.type === 'string' ? { maxLength: param.length } : {}),
    description: notes.join('; '),
  };
}

const paramTypes = {
  string: { type: 'string' },
  // -1 means all, where the description says so
  uuid: { type: 'string' },
  integer: { type: 'integer', format: 'int32' },
  short: { type: 'integer' },
  long: { type: 'integer', format: 'int64' },
  boolean: { type: 'boolean' },
  list: { type: 'string' },
  date: { type: 'string' },
  map: { type: 'object', additionalProperties: { type: 'string' } },
  object: { type: 'object' },
} as const satisfies Record<ParamSpec['type'], Schema>;

function answerSchema(spec: CommandSpec): Schema {
  const content = spec.isAsync ? jobSchema : resultSchema(spec);
  const key = `${spec.name.toLowerCase()}response`;
  return { type: 'object', required: [key], properties: { [key]: content } };
}

const jobSchema = {
  type: 'object',
  required: ['jobid'],
  properties: { jobid: { type: 'string' }, id: { type: 'string' } },
} as const;

function resultSchema({ result, response }: CommandSpec): Schema {
  const entity = entitySchema(response);
  switch (result.kind) {
    case 'list':
      return {
        type: 'object',
        properties: { count: { type: 'integer' }, [result.key]: { type: 'array', items: entity } },
      };
    case 'object':
      return { type: 'object', properties: { [result.key]: entity } };
    case 'flat':
    case 'success':
      return entity;
  }
}

function entitySchema(fields: FieldSpecs): Schema {
  const properties = Object.entries(fields).map(([name, field]) => [name, fieldSchema(field)]);
  return { type: 'object', properties: Object.fromEntries(properties) };
}

function fieldSchema(field: FieldSpec): Schema {
  const { description, response, type } = field;
  if (response) return { type: 'array', items: entitySchema(response), description };
  switch (type) {
    case 'integer':
    case 'long':
      return { type: 'integer', description };
    case 'float':
    case 'double':
      return { type: 'number', description };
    case 'boolean':
      return { type: 'boolean', description };
    case 'map':
      return { type: 'object', additionalProperties: { type: 'string' }, description };
    case 'list':
    case 'set':
      return { type: 'array', items: {}, description };
    case 'object':
    case 'responseobject':
    case 'resourceiconresponse':
    case 'hostharesponse':
    case 'outofbandmanagementresponse':
    case 'consoleendpointwebsocketresponse':
      return { type: 'object', description };
    default:
      return { type: 'string', description };
  }
}
