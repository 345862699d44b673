import assert from 'node:assert/strict';
import { test } from 'node:test';
import { parseEvent } from './events.ts';

test('events of domains are read as virsh prints them', () => {
  assert.deepEqual(
    parseEvent("2026-11-22 23:50:32.057+0000: event 'lifecycle' for domain 'i-2-3-VM': Stopped Shutdown"),
    { kind: 'lifecycle', domain: 'i-2-3-VM', detail: 'Stopped Shutdown' },
  );
  assert.deepEqual(parseEvent("2026-11-22 23:50:54.990+0000: event 'reboot' for domain 'i-2-3-VM'"), {
    kind: 'reboot',
    domain: 'i-2-3-VM',
    detail: '',
  });
  assert.deepEqual(
    parseEvent(
      "2026-11-22 23:50:30.047+0000: event 'agent-lifecycle' for domain 'a': state: 'disconnected' reason: 'domain started'",
    ),
    { kind: 'agent-lifecycle', domain: 'a', detail: "state: 'disconnected' reason: 'domain started'" },
  );
});

test('whatever else virsh prints is no event', () => {
  for (const line of [
    '',
    'event loop interrupted',
    'events received: 3',
    'error: Disconnected from qemu:///system',
  ])
    assert.equal(parseEvent(line), undefined);
});
