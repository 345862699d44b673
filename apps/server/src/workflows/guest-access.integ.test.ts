import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import type { VmSpec } from '@millrace/agent-protocol';
import { AgentCallError } from '../domain/failure-policy.ts';
import { renewPassword } from '../store/guest-password.ts';
import { insertTemplate } from '../store/testing/cloud-rows.ts';
import { startWorkflows, type WorkflowFixture } from './testing/workflow-fixture.ts';

const keys = [{ name: 'ann', publicKey: 'ssh-ed25519 AAAA ann' }];
const ed25519 = 'ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIOMqqnkVzrm0SdG6UOoqKLsabgH5C9okWi0dh2l9GKJl ann';

/** An instance of a template that takes passwords, as the deployment's command writes it. */
async function withPassword(t: TestContext) {
  const fixture = await startWorkflows(t);
  const { database, templateId } = fixture;
  await database
    .updateTable('vm_template')
    .set({ enable_password: true })
    .where('id', '=', templateId)
    .execute();
  const { vmId } = await fixture.newVm();
  await database
    .updateTable('vm_instance')
    .set({ ssh_keys: JSON.stringify([{ name: 'ann', publicKey: ed25519 }]) })
    .execute();
  await renewPassword(database, vmId, { enable_password: true });
  const made = (await fixture.vm(vmId)).new_password!;
  return { fixture, vmId, made };
}

function startsOf(fixture: WorkflowFixture): VmSpec[] {
  return fixture.agents.calls
    .filter((call) => call.method === 'vm.start')
    .map((call) => (call.params as { vm: VmSpec }).vm);
}

function passwordIn(job: { readonly job_result: unknown }): unknown {
  return (job.job_result as { virtualmachine: { password?: unknown } }).virtualmachine.password;
}

test('keys, user data and variables go to the host with every start, and nothing goes where there is nothing', async (t) => {
  const fixture = await startWorkflows(t);
  const { vmId } = await fixture.newVm();
  await fixture.run('deployVirtualMachine', { vmId, startVm: true });
  assert.equal(startsOf(fixture)[0]!.configDrive, undefined);
  await fixture.run('stopVirtualMachine', { vmId, forced: true });
  await fixture.database
    .updateTable('vm_instance')
    .set({
      ssh_keys: JSON.stringify(keys),
      user_data: 'AAAA',
      user_data_details: JSON.stringify({ tier: 'gold' }),
      name: 'renamed',
    })
    .execute();
  await fixture.run('startVirtualMachine', { vmId });
  const spec = startsOf(fixture)[1]!;
  assert.equal(spec.hostName, 'renamed');
  assert.deepEqual(
    { ...spec.configDrive, serviceOffering: 'any' },
    {
      hostName: 'renamed',
      zoneName: 'zone1',
      serviceOffering: 'any',
      sshKeys: keys,
      userData: 'AAAA',
      variables: { tier: 'gold' },
    },
  );
});

test('a new password is handed over once, told in the answer, and then forgotten', async (t) => {
  const { fixture, vmId, made } = await withPassword(t);
  const deployed = await fixture.run('deployVirtualMachine', { vmId, startVm: true });
  assert.equal(passwordIn(deployed), made);
  assert.equal(startsOf(fixture)[0]!.configDrive?.password, made);
  assert.equal((await fixture.vm(vmId)).new_password, null);
  await fixture.run('stopVirtualMachine', { vmId, forced: true });
  const started = await fixture.run('startVirtualMachine', { vmId });
  assert.equal(passwordIn(started), undefined);
  assert.equal(startsOf(fixture)[1]!.configDrive?.password, undefined);
});

test('a password waits for the start of an instance that shall not start yet, and for a reset one', async (t) => {
  const { fixture, vmId, made } = await withPassword(t);
  assert.equal(
    passwordIn(await fixture.run('deployVirtualMachine', { vmId, startVm: false })),
    made,
    'told at once',
  );
  await renewPassword(fixture.database, vmId, { enable_password: true });
  const reset = await fixture.run('resetPasswordForVirtualMachine', { vmId });
  const renewed = passwordIn(reset);
  assert.notEqual(renewed, made);
  const events = await fixture.database.selectFrom('event').select(['type', 'state']).execute();
  assert.ok(events.some((event) => event.type === 'VM.RESETPASSWORD' && event.state === 'Completed'));
  await fixture.run('startVirtualMachine', { vmId });
  assert.equal(startsOf(fixture).at(-1)!.configDrive?.password, renewed);
  assert.equal((await fixture.vm(vmId)).new_password, null);
});

test('a start that fails keeps the password for the next one, and a deployment that fails forgets it', async (t) => {
  const { fixture, vmId, made } = await withPassword(t);
  await fixture.run('deployVirtualMachine', { vmId, startVm: false });
  fixture.agents.script('every', 'vm.start', async () => {
    throw new AgentCallError('CONFIG_DRIVE_FAILED', 'no xorriso', { failureClass: 'next-host' });
  });
  await fixture.run('startVirtualMachine', { vmId });
  assert.equal((await fixture.vm(vmId)).new_password, made);
  const other = await fixture.newVm();
  await renewPassword(fixture.database, other.vmId, { enable_password: true });
  await fixture.run('deployVirtualMachine', { vmId: other.vmId, startVm: true });
  const failed = await fixture.vm(other.vmId);
  assert.equal(failed.state, 'Error');
  assert.equal(failed.new_password, null);
});

test('a reinstalled instance gets a new password with its new disk, and none from a template that takes none', async (t) => {
  const { fixture, vmId, made } = await withPassword(t);
  await fixture.run('deployVirtualMachine', { vmId, startVm: true });
  const restored = await fixture.run('restoreVirtualMachine', { vmId });
  const renewed = passwordIn(restored);
  assert.equal(typeof renewed, 'string');
  assert.notEqual(renewed, made);
  assert.equal(startsOf(fixture).at(-1)!.configDrive?.password, renewed);
  const plain = await insertTemplate(fixture.database, fixture.cloud);
  const other = await fixture.run('restoreVirtualMachine', { vmId, templateId: plain });
  assert.equal(passwordIn(other), undefined);
});

test('an expunged instance leaves no user data and no password behind', async (t) => {
  const { fixture, vmId } = await withPassword(t);
  await fixture.database
    .updateTable('vm_instance')
    .set({ user_data: 'AAAA', encrypted_password: 'AAAA' })
    .execute();
  await fixture.run('deployVirtualMachine', { vmId, startVm: false });
  await fixture.run('destroyVirtualMachine', { vmId, expunge: true });
  const vm = await fixture.vm(vmId);
  assert.equal(vm.state, 'Expunged');
  assert.deepEqual([vm.user_data, vm.new_password, vm.encrypted_password], [null, null, null]);
});
