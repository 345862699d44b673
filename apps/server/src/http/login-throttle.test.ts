import assert from 'node:assert/strict';
import { test } from 'node:test';
import { makeLoginThrottle } from './login-throttle.ts';

function withClock() {
  const clock = { ms: 0 };
  return { clock, throttle: makeLoginThrottle(() => clock.ms) };
}

test('five wrong passwords are free, then the wait doubles up to five minutes', () => {
  const { clock, throttle } = withClock();
  for (let i = 0; i < 4; i++) throttle.failed('1.2.3.4', 'admin');
  assert.equal(throttle.waitSeconds('1.2.3.4', 'admin'), 0);
  const waits = [];
  for (let i = 0; i < 12; i++) {
    throttle.failed('1.2.3.4', 'admin');
    const wait = throttle.waitSeconds('1.2.3.4', 'admin');
    waits.push(wait);
    clock.ms += wait * 1000;
    assert.equal(throttle.waitSeconds('1.2.3.4', 'admin'), 0);
  }
  assert.deepEqual(waits, [1, 2, 4, 8, 16, 32, 64, 128, 256, 300, 300, 300]);
});

test('a stranger who guesses does not keep the user out from elsewhere', () => {
  const { throttle } = withClock();
  for (let i = 0; i < 40; i++) throttle.failed('6.6.6.6', 'admin');
  assert.equal(throttle.waitSeconds('1.2.3.4', 'admin'), 0);
  assert.ok(throttle.waitSeconds('6.6.6.6', 'admin') > 0);
});

test('a client that tries many users is slowed down for all of them', () => {
  const { throttle } = withClock();
  for (let i = 0; i < 40; i++) throttle.failed('6.6.6.6', `user${i}`);
  assert.ok(throttle.waitSeconds('6.6.6.6', 'somebody') > 0);
});

test('many clients that try one user are slowed down a little, whoever they are', () => {
  const { throttle } = withClock();
  for (let i = 0; i < 200; i++) throttle.failed(`10.0.0.${i}`, 'admin');
  assert.equal(throttle.waitSeconds('1.2.3.4', 'admin'), 5);
});

test('logins that succeed are never counted, however many come from one client', () => {
  const { throttle } = withClock();
  for (let i = 0; i < 500; i++) {
    assert.equal(throttle.waitSeconds('1.2.3.4', 'admin'), 0);
    throttle.failed('1.2.3.4', 'admin');
    throttle.succeeded('1.2.3.4', 'admin');
  }
});

test('an hour without failures forgets them', () => {
  const { clock, throttle } = withClock();
  for (let i = 0; i < 8; i++) throttle.failed('1.2.3.4', 'admin');
  clock.ms += 3_600_001;
  throttle.failed('1.2.3.4', 'admin');
  assert.equal(throttle.waitSeconds('1.2.3.4', 'admin'), 0);
});
