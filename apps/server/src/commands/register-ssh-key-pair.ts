import { specs } from '@millrace/api';
import { implement } from './command.ts';
import { storeSshKeyPair } from './store-ssh-key-pair.ts';

export const registerSSHKeyPair = implement(specs.registerSSHKeyPair, async (context) => {
  const { name, publickey, ...owner } = context.params;
  return {
    object: await storeSshKeyPair(context, {
      event: 'REGISTER.SSH.KEYPAIR',
      name,
      publicKey: publickey,
      owner,
    }),
  };
});
