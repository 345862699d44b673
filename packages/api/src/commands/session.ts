import { defineCommand, everyone } from '../command.ts';
import { capabilityFields } from '../entities/capability.ts';
import { loginFields } from '../entities/login-session.ts';
import { field, jobFields } from '../fields.ts';
import { param } from '../param.ts';

export const login = defineCommand({
  name: 'login',
  description: 'Opens a session for a user; later calls send its cookie and its session key',
  isAsync: false,
  anonymous: true,
  params: {
    username: param.string('the name of the user', { required: true }),
    password: param.string('the password of the user', { required: true }),
    domain: param.string('the path of the domain of the user; ROOT when absent', { length: 1024 }),
    domainId: param.long('the number of the domain of the user, instead of its path'),
  },
  response: loginFields,
  result: { kind: 'flat' },
  roles: everyone,
});

export const logout = defineCommand({
  name: 'logout',
  description: 'Ends the session',
  isAsync: false,
  params: {},
  response: { description: field.string('what happened'), ...jobFields },
  result: { kind: 'flat' },
  roles: everyone,
});

/** A parameter as `listApis` describes it. */
const describedParam = {
  name: field.string('the name of the parameter'),
  description: field.string('what the parameter is for'),
  type: field.string('the type of the parameter'),
  length: field.integer('the most characters the value may have'),
  required: field.boolean('whether the parameter must be given'),
  related: field.string('commands whose answers give values for it'),
  since: field.string('the release that brought the parameter'),
};

const describedField = {
  name: field.string('the name of the field'),
  description: field.string('what the field tells'),
  type: field.string('the type of the field'),
  response: field.emptySet('the fields inside this one'),
};

export const listApis = defineCommand({
  name: 'listApis',
  description: 'Lists the commands the caller may call, with their parameters and answers',
  isAsync: false,
  params: { name: param.string('only the command of this name') },
  response: {
    name: field.string('the name of the command'),
    description: field.string('what the command does'),
    isasync: field.boolean('whether the command starts a job'),
    related: field.string('commands that answer with the same kind of object'),
    since: field.string('the release that brought the command'),
    type: field.string('the type of the answer'),
    params: field.set('the parameters of the command', describedParam),
    response: field.set('the fields of the answer', describedField),
    ...jobFields,
  },
  result: { kind: 'list', key: 'api' },
  roles: everyone,
});

export const listCapabilities = defineCommand({
  name: 'listCapabilities',
  description: 'Tells what this installation can do',
  isAsync: false,
  params: {},
  response: capabilityFields,
  result: { kind: 'object', key: 'capability' },
  roles: everyone,
});
