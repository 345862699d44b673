import { createHash } from 'node:crypto';
import { variableName } from '@millrace/agent-protocol';
import { invalidParameter } from '@millrace/api';

const mostVariables = 100;
const mostValueLength = 4096;

/**
 * Base64 as clients write it: with or without padding, in the alphabet for URLs too, broken into lines or not.
 * @returns the same bytes in plain Base64
 * @throws ApiError 431
 */
export function decodeUserData(param: string, text: string): string {
  const plain = text
    .replaceAll(/[\r\n]/g, '')
    .replaceAll('-', '+')
    .replaceAll('_', '/');
  const digits = plain.replace(/={0,2}$/, '');
  if (!/^[A-Za-z0-9+/]+$/.test(digits) || digits.length % 4 === 1) {
    throw invalidParameter(param, 'must be Base64');
  }
  return Buffer.from(digits, 'base64').toString('base64');
}

/**
 * The names of user data's variables, from a comma list.
 * @throws ApiError 431
 */
export function variableNames(param: string, text: string): string[] {
  const names = text
    .split(',')
    .map((name) => name.trim())
    .filter((name) => name !== '');
  for (const name of names) demandVariableName(param, name);
  return [...new Set(names)];
}

/**
 * The values of user data's variables. Each becomes a file of the guest's config drive.
 * @throws ApiError 431
 */
export function variablesOf(
  param: string,
  details: Readonly<Record<string, string>>,
): Readonly<Record<string, string>> {
  const entries = Object.entries(details);
  if (entries.length > mostVariables) {
    throw invalidParameter(param, `there are at most ${mostVariables} variables`);
  }
  for (const [name, value] of entries) {
    demandVariableName(param, name);
    if (value.length > mostValueLength) {
      throw invalidParameter(param, `${name} must not be longer than ${mostValueLength} characters`);
    }
  }
  return Object.fromEntries(entries);
}

function demandVariableName(param: string, name: string): void {
  if (variableName.test(name)) return;
  throw invalidParameter(
    param,
    'a name has 1 to 64 letters, digits, _, . and -, and begins with a letter, a digit or _',
  );
}

/** What a template's user data lets deployments do (CloudStack's UserData.UserDataOverridePolicy). */
export const userDataPolicies = ['ALLOWOVERRIDE', 'APPEND', 'DENYOVERRIDE'] as const;
export type UserDataPolicy = (typeof userDataPolicies)[number];

/** @throws ApiError 431 */
export function userDataPolicyOf(param: string, text: string): UserDataPolicy {
  const policy = userDataPolicies.find((candidate) => candidate === text.toUpperCase());
  if (!policy) throw invalidParameter(param, `must be one of ${userDataPolicies.join(', ')}`);
  return policy;
}

/**
 * Both as parts of one MIME message, which cloud-init takes apart and runs in this order; as CloudStack's
 * CloudInitUserDataProvider does. What is a MIME message already becomes a part as it is.
 */
export function appendUserData(first: string, second: string): string {
  const boundary = `==millrace-${createHash('sha256').update(`${first} ${second}`).digest('hex')}==`;
  const parts = [first, second].flatMap((base64, index) => [
    Buffer.from(`--${boundary}\n`),
    partOf(base64, index + 1),
    Buffer.from('\n'),
  ]);
  const head = `Content-Type: multipart/mixed; boundary="${boundary}"\nMIME-Version: 1.0\n\n`;
  return Buffer.concat([Buffer.from(head), ...parts, Buffer.from(`--${boundary}--\n`)]).toString('base64');
}

function partOf(base64: string, number: number): Buffer {
  const data = Buffer.from(base64, 'base64');
  const start = data.toString('latin1', 0, 200);
  if (/^(content-type|mime-version):/i.test(start)) return data;
  const lines = [
    `Content-Type: ${contentTypeOf(data)}`,
    'MIME-Version: 1.0',
    'Content-Transfer-Encoding: base64',
    `Content-Disposition: attachment; filename="part-${number}"`,
    '',
    base64.replaceAll(/.{76}(?=.)/g, '$&\n'),
  ];
  return Buffer.from(lines.join('\n'));
}

/** By the first line, as cloud-init knows the formats (docs.cloud-init.io, User data formats). */
const contentTypes = [
  ['#cloud-config-archive', 'text/cloud-config-archive'],
  ['#cloud-config-jsonp', 'text/cloud-config-jsonp'],
  ['#cloud-config', 'text/cloud-config'],
  ['#!', 'text/x-shellscript'],
  ['#include-once', 'text/x-include-once-url'],
  ['#include', 'text/x-include-url'],
  ['#part-handler', 'text/part-handler'],
  ['#cloud-boothook', 'text/cloud-boothook'],
  ['## template: jinja', 'text/jinja2'],
] as const;

function contentTypeOf(data: Buffer): string {
  // gzip, RFC 1952 §2.3.1
  if (data[0] === 0x1f && data[1] === 0x8b) return 'application/gzip';
  const start = data.toString('latin1', 0, 200).trimStart();
  return contentTypes.find(([mark]) => start.toLowerCase().startsWith(mark))?.[1] ?? 'text/plain';
}
