const noStaging =
  'there are no staging stores: hosts copy images from image stores, or download them from their sources';
const noUploads = 'nothing is uploaded to the cloud';

/**
 * Commands of CloudStack that clients ask for and that Millrace deliberately has not, each with what to do instead.
 * `listApis` does not show them; docs/api-differences.md does.
 */
export const unservedCommands: Readonly<Record<string, string>> = {
  createSecondaryStagingStore: noStaging,
  createTemplate:
    'disks are not made into templates: put the image on a web server and register its url with registerTemplate',
  extractVolume: 'disks are not exported: copy the data from inside an instance',
  getUploadParamsForTemplate: `${noUploads}: put the image on a web server and register its url`,
  getUploadParamsForIso: `${noUploads}: put the image on a web server and register its url`,
  getUploadParamsForVolume: `${noUploads}: attach an empty disk and copy the data inside an instance`,
  uploadVolume: `${noUploads}: attach an empty disk and copy the data inside an instance`,
  createSnapshot: 'there are no snapshots of disks',
  createVMSnapshot: 'there are no snapshots of instances',
};

const reasons = new Map(
  Object.entries(unservedCommands).map(([name, reason]) => [name.toLowerCase(), reason]),
);

/** Why there is no such command, when CloudStack has it. */
export function reasonUnserved(command: string): string | undefined {
  return reasons.get(command.toLowerCase());
}
