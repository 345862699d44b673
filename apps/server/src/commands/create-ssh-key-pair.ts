import { specs } from '@millrace/api';
import { makeKeyPair } from '../domain/ssh-keys.ts';
import { implement } from './command.ts';
import { storeSshKeyPair } from './store-ssh-key-pair.ts';

/** The private half is in this one answer and nowhere else. */
export const createSSHKeyPair = implement(specs.createSSHKeyPair, async (context) => {
  const { name, ...owner } = context.params;
  const { publicKey, privateKey } = await makeKeyPair();
  const entity = await storeSshKeyPair(context, { event: 'CREATE.SSH.KEYPAIR', name, publicKey, owner });
  return { object: { ...entity, privatekey: privateKey } };
});
