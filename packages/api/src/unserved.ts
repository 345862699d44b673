const noStore = 'there is no secondary storage';
const hostsFetch = `${noStore}: hosts download images from their sources themselves`;
const atItsSource = `${noStore} to download from; its url, which lists show to its owner, is where hosts download it`;

/**
 * Commands of CloudStack that clients ask for and that Millrace deliberately has not, each with what to do instead.
 * `listApis` does not show them; docs/api-differences.md does.
 */
export const unservedCommands: Readonly<Record<string, string>> = {
  addImageStore: hostsFetch,
  deleteImageStore: hostsFetch,
  updateImageStore: hostsFetch,
  createSecondaryStagingStore: hostsFetch,
  createTemplate:
    'disks are not made into templates: put the image on a web server and register its url with registerTemplate',
  extractTemplate: atItsSource,
  extractIso: atItsSource,
  extractVolume: `${noStore} to export disks to: copy the data from inside an instance`,
  getUploadParamsForTemplate: `${noStore} to upload to: put the image on a web server and register its url`,
  getUploadParamsForIso: `${noStore} to upload to: put the image on a web server and register its url`,
  getUploadParamsForVolume: `${noStore} to upload to: attach an empty disk and copy the data inside an instance`,
  uploadVolume: `${noStore} to upload to: attach an empty disk and copy the data inside an instance`,
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
