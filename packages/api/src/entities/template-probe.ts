import { type FieldSpecs, field, jobFields } from '../fields.ts';

/** What a host found at a URL. Own extension. */
export const templateProbeFields = {
  format: field.string('what the image is, in the words of registerTemplate'),
  compression: field.string('what it is packed with; none when it is not'),
  ismetalink: field.boolean('whether the URL is a metalink'),
  virtualsize: field.long('the bytes a guest sees, when the first bytes tell'),
  transfersize: field.long('the bytes that are transferred, when a source tells'),
  checksum: field.string('the checksum that will be verified, with its algorithm'),
  checksumtrust: field.string('where the checksum comes from and what that is worth'),
  warnings: field.list('what is not as it should be, but no obstacle'),
  source: field.rows('the sources, in the order in which they are tried', {
    url: field.string('the URL, without credentials'),
    location: field.string('the location that the metalink gives'),
    priority: field.integer('the priority that the metalink gives; 1 comes first'),
    usable: field.boolean('whether it answered as it should'),
    size: field.long('the bytes it announces'),
    reason: field.string('the error code, when it is not usable'),
    message: field.string('why it is not usable'),
  }),
  ...jobFields,
} as const satisfies FieldSpecs;
