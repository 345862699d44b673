import { ApiError, entityNotFound, specs } from '@millrace/api';
import { lockVirtualMachine } from '../store/virtual-machines.ts';
import { implement } from './command.ts';
import { reachOf } from './scope.ts';

export const getVMPassword = implement(specs.getVMPassword, async ({ params, database, caller }) => {
  const vm = await database
    .transaction()
    .execute((trx) => lockVirtualMachine(trx, params.id, reachOf(caller)));
  if (!vm) throw entityNotFound('id', params.id);
  if (vm.encrypted_password === null) {
    throw new ApiError(
      'PARAM_ERROR',
      `no password of instance ${vm.name} is kept: its template must take passwords, and it must have an RSA key pair`,
    );
  }
  return { object: { encryptedpassword: vm.encrypted_password } };
});
