import { specs } from '@millrace/api';
import { implement } from './command.ts';
import { registerImage } from './register-image.ts';

export const registerIso = implement(specs.registerIso, async (context) => {
  const { params } = context;
  const bootable = params.bootable ?? true;
  return registerImage(context, { ...params, command: 'registerIso', format: 'ISO', bootable });
});
