import { sendFile, type Tweaks } from '../send-file.ts';
import { grownFile, otherFile, type ServedFile } from '../served-files.ts';
import { type Fault, type FaultTable, tweaked } from './fault.ts';

/** After the first requests, as many as the number of the path says, the file is another one. */
function changing(
  next: (file: ServedFile) => ServedFile,
  tweaks: (now: ServedFile, original: ServedFile) => Tweaks = () => ({}),
): Fault {
  return (call) => {
    const { file, visit, number } = call;
    const now = visit <= number ? file : next(file);
    return sendFile({ ...call, file: now }, tweaks(now, file));
  };
}

/** Files that are published again while somebody fetches them. */
export const versionFaults: FaultTable = {
  /** The same bytes under another ETag with every request, as from servers that were synchronised apart. */
  'etag-each': tweaked(({ file, visit }) => ({
    validators: { etag: file.etag?.replace('"', `"${visit}-`) },
  })),
  /** Another file, with an ETag of its own; If-Range is honoured. */
  'changes-after-%': changing(otherFile),
  /** The same, and If-Range is not looked at: 206 with the new ETag. */
  'changes-unhonoured-after-%': changing(otherFile, () => ({ ignoresIfRange: true })),
  /** The same, with the old ETag: nothing but a digest can tell. */
  'changes-silently-after-%': changing(otherFile, ({ lastModified }, { etag }) => ({
    validators: { etag, lastModified },
  })),
  /** The same, without any validator: nothing says that it is still the version that If-Range asks for. */
  'changes-unmarked-after-%': changing(otherFile, (now, original) =>
    now === original ? {} : { ignoresIfRange: true, validators: {} },
  ),
  /** The file is a thousand bytes longer; only its size tells. */
  'grows-after-%': changing((file) => grownFile(file, 1000)),
};
