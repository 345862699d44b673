import { makeGuestPassword } from '../domain/guest-password.ts';
import { encryptPassword, parsePublicKey } from '../domain/ssh-keys.ts';
import type { Executor } from './database.ts';

/**
 * Gives an instance a new password, which its next start hands to the guest; or takes it away where the template takes
 * none. As in CloudStack it stays only encrypted with the first RSA key of the instance, for getVMPassword; in clear it
 * is kept until the job that hands it over has answered.
 */
export async function renewPassword(
  executor: Executor,
  vmId: number,
  template: { readonly enable_password: boolean },
): Promise<void> {
  const vm = await executor
    .selectFrom('vm_instance')
    .select('ssh_keys')
    .where('id', '=', vmId)
    .executeTakeFirstOrThrow();
  const password = template.enable_password ? makeGuestPassword() : null;
  const rsa = vm.ssh_keys
    .map(({ publicKey }) => parsePublicKey('publickey', publicKey).rsa)
    .find((key) => key !== undefined);
  await executor
    .updateTable('vm_instance')
    .set({
      new_password: password,
      encrypted_password: password !== null && rsa ? encryptPassword(rsa, password) : null,
    })
    .where('id', '=', vmId)
    .execute();
}
