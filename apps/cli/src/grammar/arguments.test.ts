import assert from 'node:assert/strict';
import { test } from 'node:test';
import { makeCatalogue } from '../catalogue/catalogue.ts';
import { UsageError } from '../failures.ts';
import { readArguments } from './arguments.ts';
import { readFileValues } from './file-values.ts';

const param = (name: string, type = 'string', required = false) => ({
  name,
  type,
  required,
  description: `the ${name} of it`,
});
const catalogue = makeCatalogue([
  {
    name: 'registerTemplate',
    isasync: false,
    description: '',
    params: [
      param('name', 'string', true),
      param('url', 'string', true),
      param('details', 'map'),
      param('zoneid', 'uuid'),
      param('userdata'),
    ],
    response: [],
  },
]);
const command = catalogue.commands[0]!;
const needed = ['name=n', 'url=u'];

for (const [words, expected] of [
  [needed, { params: { name: 'n', url: 'u' } }],
  [
    ['name=Debian 12', 'url=https://m/a.qcow2?x=1&y=2'],
    { params: { name: 'Debian 12', url: 'https://m/a.qcow2?x=1&y=2' } },
  ],
  [['NAME=n', 'Url=U'], { params: { name: 'n', url: 'U' } }],
  [
    [...needed, 'Details[0].rootDiskController=a b'],
    { params: { name: 'n', url: 'u', 'details[0].rootDiskController': 'a b' } },
  ],
  [[...needed, 'details[1].k=v=w'], { params: { name: 'n', url: 'u', 'details[1].k': 'v=w' } }],
  [[...needed, 'filter=name, state'], { params: { name: 'n', url: 'u' }, filter: ['name', 'state'] }],
  [[...needed, 'filter='], { params: { name: 'n', url: 'u' } }],
  [[...needed, 'zoneid='], { params: { name: 'n', url: 'u', zoneid: '' } }],
] as const) {
  test(`the arguments ${words.join(' ')} are read`, () => {
    assert.deepEqual(readArguments(command, words), expected);
  });
}

for (const [words, message] of [
  [
    ['name=n'],
    /register template needs one more argument:\n {2}url {2}the url of it\nHelp: millrace register/,
  ],
  [[], /needs 2 more arguments:\n {2}name {2}the name of it\n {2}url {3}the url of it/],
  [['name=n', 'url='], /needs one more argument:\n {2}url/],
  [[...needed, 'zonid=1'], /has no argument zonid\. Did you mean zoneid\?/],
  [[...needed, 'qqqqqq=1'], /has no argument qqqqqq\.\n/],
  [[...needed, 'detials[0].k=1'], /has no argument detials\. Did you mean details\?/],
  [[...needed, 'details=1'], /details is a map: write details\[0\]\.KEY=VALUE/],
  [[...needed, 'name=m'], /name is given twice/],
  [[...needed, 'Debian'], /takes arguments as key=value; what is "Debian"\?/],
  [[...needed, '=x'], /takes arguments as key=value/],
] as const) {
  test(`the arguments ${words.join(' ') || '(none)'} are refused`, () => {
    assert.throws(
      () => readArguments(command, words),
      (error) => error instanceof UsageError && message.test(error.message),
    );
  });
}

const { signal } = new AbortController();
const files: Record<string, string> = {
  'cert.pem': 'a\nb\n',
  'user.yaml': '#cloud-config\n',
  'user.b64': 'aGVsbG8h\n',
};
const readFile = async (path: string) => {
  const content = files[path];
  if (content === undefined) throw new Error('ENOENT: no such file');
  return content;
};

for (const [given, expected] of [
  [{ certificate: '@cert.pem' }, { certificate: 'a\nb\n' }],
  [{ userdata: '@user.yaml' }, { userdata: 'I2Nsb3VkLWNvbmZpZwo=' }],
  [{ userdata: '@user.b64' }, { userdata: 'aGVsbG8h' }],
  [{ password: '@@home' }, { password: '@home' }],
  [{ name: 'a@b' }, { name: 'a@b' }],
] as const) {
  test(`the value ${JSON.stringify(given)} becomes ${JSON.stringify(expected)}`, async () => {
    assert.deepEqual(await readFileValues(given, readFile, signal), expected);
  });
}

test('a file that cannot be read is a usage error that explains how to write an @', async () => {
  await assert.rejects(
    readFileValues({ password: '@nowhere' }, readFile, signal),
    (error) =>
      error instanceof UsageError &&
      /nowhere cannot be read: ENOENT/.test(error.message) &&
      /@@/.test(error.message),
  );
});
