import { specs } from '@millrace/api';
import { templateFormat, templateHypervisor } from '../domain/template-registration.ts';
import { implement } from './command.ts';
import { registerImage } from './register-image.ts';

export const registerTemplate = implement(specs.registerTemplate, async (context) => {
  const { params } = context;
  templateHypervisor(params.hypervisor);
  const format = templateFormat(params.format);
  return registerImage(context, { ...params, command: 'registerTemplate', format, bootable: true });
});
