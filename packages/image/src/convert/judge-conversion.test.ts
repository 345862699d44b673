import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { FetchErrorCode } from '../errors.ts';
import { faultOf } from '../testing/decode.ts';
import { judgeConversion } from './judge-conversion.ts';

const failures: readonly (readonly [number, string, FetchErrorCode])[] = [
  [1, 'qemu-img: error while writing at byte 0: No space left on device\n', 'POOL_FULL'],
  [
    1,
    'qemu-img: /pool/x: error while converting raw: Could not resize file: No space left on device',
    'POOL_FULL',
  ],
  [
    1,
    'qemu-img: warning: something\nqemu-img: error while writing at byte 5: Disk quota exceeded',
    'POOL_FULL',
  ],
  [1, 'qemu-img: error while writing at byte 0: Input/output error', 'POOL_UNAVAILABLE'],
  [1, 'qemu-img: error while writing at byte 0: File too large', 'UNPACKED_TOO_LARGE'],
  [128 + 25, '', 'UNPACKED_TOO_LARGE'],
  [128 + 9, '', 'DECODER_FAILED'],
  [1, 'bwrap: Creating new namespace failed: Operation not permitted', 'DECODER_FAILED'],
  [128 + 11, '', 'CONVERT_FAILED'],
  [1, 'qemu-img: error while reading at byte 0: Input/output error', 'CONVERT_FAILED'],
  [1, '', 'CONVERT_FAILED'],
];

test('the image, the pool and the host are told apart', () => {
  assert.doesNotThrow(() => judgeConversion({ code: 0, signal: null }, 'some warning', []));
  for (const [code, complaints, expected] of failures) {
    assert.throws(
      () => judgeConversion({ code, signal: null }, complaints, []),
      faultOf(expected),
      complaints,
    );
  }
  assert.throws(
    () => judgeConversion({ code: null, signal: 'SIGXFSZ' }, '', []),
    faultOf('UNPACKED_TOO_LARGE'),
  );
  assert.throws(() => judgeConversion({ code: null, signal: 'SIGKILL' }, '', []), faultOf('DECODER_FAILED'));
  assert.throws(
    () => judgeConversion({ code: null, signal: 'SIGSEGV' }, '', []),
    faultOf('CONVERT_FAILED', /SIGSEGV/),
  );
});

test('paths of this host are left out of the message', () => {
  const complaint = "qemu-img: Could not open '/pool/.hidden': Image is corrupt";
  assert.throws(
    () => judgeConversion({ code: 1, signal: null }, complaint, ['/pool/.hidden']),
    (error: unknown) => error instanceof Error && /Could not open '…': Image is corrupt$/.test(error.message),
  );
});
