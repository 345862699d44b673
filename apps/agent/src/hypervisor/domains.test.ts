import assert from 'node:assert/strict';
import { test } from 'node:test';
import { parseDomains } from './domains.ts';

test('names, UUIDs and states come together from what virsh prints', () => {
  const printed = `bcc04bb0-d3dc-490a-9d35-aa8e921b2a65 i-2-3-VM
3c8d5b0e-0f86-4d1b-8f6b-8d9a1c2e3f40 my guest
5a5a5a5a-0000-0000-0000-00000000000a not by RFC 9562
7f0c1f1e-3d55-4a0e-9a38-1c1f0a5a7b11 just removed

Domain: 'i-2-3-VM'
  state.state=1
  state.reason=1

Domain: 'my guest'
  state.state=5
  state.reason=4

Domain: 'not by RFC 9562'
  state.state=1
  state.reason=1

Domain: 'just defined'
  state.state=5
  state.reason=0

`;
  assert.deepEqual(parseDomains(printed), [
    { uuid: 'bcc04bb0-d3dc-490a-9d35-aa8e921b2a65', instanceName: 'i-2-3-VM', state: 'Running' },
    { uuid: '3c8d5b0e-0f86-4d1b-8f6b-8d9a1c2e3f40', instanceName: 'my guest', state: 'Stopped' },
  ]);
});

test('a paused guest has a process, a crashed one has none', () => {
  const printed = (state: number) =>
    `bcc04bb0-d3dc-490a-9d35-aa8e921b2a65 a\n\nDomain: 'a'\n  state.state=${state}\n  state.reason=1\n`;
  const states = [1, 2, 3, 4, 5, 6, 7].map((state) => parseDomains(printed(state))[0]?.state);
  assert.deepEqual(states, ['Running', 'Running', 'Running', 'Running', 'Stopped', 'Stopped', 'Running']);
});

test('a host without domains has none', () => {
  assert.deepEqual(parseDomains('\n\n'), []);
});

test('a list that failed while the states came is an error and not a host without domains', () => {
  // libvirtd was restarted between the two commands: virsh tells the result of the last one only
  const printed = "\nDomain: 'a'\n  state.state=1\n  state.reason=1\n";
  assert.throws(() => parseDomains(printed), /libvirt/);
});
