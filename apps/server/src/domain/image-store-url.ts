import { ApiError, invalidParameter } from '@millrace/api';
import { type SharedPoolPlace, sharedPoolPlace } from './storage-pool-url.ts';

/** Where an image store is, and how the API names that. */
export interface ImageStorePlace {
  readonly provider: 'NFS' | 'Local';
  readonly url: string;
  readonly place: SharedPoolPlace;
}

/**
 * Reads `provider` and `url` of addImageStore: `nfs://SERVER/export`, or `file:///srv/images` for a directory.
 * @throws ApiError 431 naming the rule; 432 for a provider that this release has not
 */
export function imageStorePlace(
  provider: string,
  url: string | undefined,
  details: Readonly<Record<string, string>>,
): ImageStorePlace {
  switch (provider.trim().toLowerCase()) {
    case 'nfs': {
      if (url === undefined || !/^\s*nfs:/i.test(url))
        throw invalidParameter('url', 'must be like nfs://SERVER/export for the provider NFS');
      return { provider: 'NFS', url: url.trim(), place: sharedPoolPlace(url, details) };
    }
    case 'local': {
      const [unknown] = Object.keys(details);
      if (unknown !== undefined)
        throw invalidParameter('details', `${unknown.slice(0, 80)} is not supported for the provider Local`);
      const parsed = URL.parse(url?.trim() ?? '');
      const path = decodeURIComponent(parsed?.pathname ?? '').replace(/\/+$/, '');
      const plain = parsed?.protocol === 'file:' && parsed.host === '' && !parsed.search && !parsed.hash;
      if (!plain || !/^\/[^\p{Cc},]+$/u.test(path))
        throw invalidParameter('url', 'must be like file:///srv/images for the provider Local');
      return { provider: 'Local', url: `file://${path}`, place: { type: 'SharedMountPoint', path } };
    }
    case 's3':
    case 'swift':
    case 'smb':
    case 'cifs':
      throw new ApiError(
        'UNSUPPORTED_ACTION_ERROR',
        `image stores of the provider ${provider.trim()} are not supported in this release: NFS and Local are`,
      );
    default:
      throw invalidParameter('provider', 'must be NFS or Local');
  }
}
