import { invalidParameter, specs } from '@millrace/api';
import { templateFormat } from '../domain/template-registration.ts';
import { implement } from './command.ts';
import { updateImage } from './update-image.ts';

export const updateTemplate = implement(specs.updateTemplate, async (context) => {
  const { params } = context;
  const format = params.format === undefined ? undefined : templateFormat(params.format);
  return { object: await updateImage(context, 'template', { ...params, format }) };
});

export const updateIso = implement(specs.updateIso, async (context) => {
  const { params } = context;
  if (params.format !== undefined && params.format.toUpperCase() !== 'ISO')
    throw invalidParameter('format', 'must be ISO');
  if (params.passwordenabled)
    throw invalidParameter('passwordenabled', 'what boots from an ISO takes no password');
  return { object: await updateImage(context, 'iso', { ...params, format: undefined }) };
});
