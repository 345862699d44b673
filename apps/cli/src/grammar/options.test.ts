import assert from 'node:assert/strict';
import { test } from 'node:test';
import { UsageError } from '../failures.ts';
import { splitOptions } from './options.ts';

for (const [argv, words, options] of [
  [['list', 'zones'], ['list', 'zones'], {}],
  [['-o', 'json', 'list', 'zones'], ['list', 'zones'], { output: 'json' }],
  [['list', 'zones', '--output=CSV'], ['list', 'zones'], { output: 'csv' }],
  [['list', '-p', 'prod', 'zones', '-w'], ['list', 'zones'], { profile: 'prod', wide: true }],
  [
    ['deploy', 'virtualmachine', '--no-wait', '-q'],
    ['deploy', 'virtualmachine'],
    { noWait: true, quiet: true },
  ],
  [['a', 'name=-x', '--help'], ['a', 'name=-x'], { help: true }],
  [['a', '--', '--help', '-o'], ['a', '--help', '-o'], {}],
  [['set', 'secretkey', '-'], ['set', 'secretkey', '-'], {}],
  [['-V'], [], { version: true }],
] as const) {
  test(`options are taken out of ${argv.join(' ')}`, () => {
    assert.deepEqual(splitOptions(argv), { words: [...words], options });
  });
}

for (const [argv, message] of [
  [['--outptu', 'json'], /Unknown option --outptu\. Did you mean --output\?/],
  [['-x'], /Unknown option -x/],
  [['list', '-o'], /-o needs a value: FORMAT/],
  [['-o', 'xml'], /Unknown output format xml\. There are table, json, text, csv/],
  [['--wide=yes'], /--wide takes no value/],
] as const) {
  test(`${argv.join(' ')} is refused`, () => {
    assert.throws(
      () => splitOptions(argv),
      (error) => error instanceof UsageError && message.test(error.message),
    );
  });
}
