import { z } from 'zod';

const bytes = z.number().int().nonnegative();

/** A file name inside a pool: never a path, so no message can point outside the pool. */
export const fileName = z.string().regex(/^[A-Za-z0-9][A-Za-z0-9._-]{0,200}$/);

/** How a Ceph cluster is reached. */
const rbdAccess = z.object({
  /** `HOST` or `HOST:PORT`, IPv6 addresses in brackets. */
  monitors: z
    .array(z.string().regex(/^(\[[0-9a-f:.]+\]|[a-z0-9]([a-z0-9.-]*[a-z0-9])?)(:\d{1,5})?$/i))
    .min(1)
    .max(9),
  /** Without `client.`. */
  user: z.string().regex(/^[A-Za-z0-9_.][A-Za-z0-9_.-]*$/),
  /** The user's key, base64. Secret: never logged. */
  secret: z.string().regex(/^[A-Za-z0-9+/]+={0,2}$/),
});

const poolFields = z.object({
  uuid: z.uuid(),
  type: z.enum(['Filesystem', 'SharedMountPoint', 'NetworkFilesystem', 'RBD']),
  /** Absolute directory on the host; of a NetworkFilesystem the exported directory on its server; of RBD the pool's name. */
  path: z.string().regex(/^(\/|[A-Za-z0-9_.][A-Za-z0-9_.-]*$)/),
  /** Of a NetworkFilesystem: a host name or address, IPv6 in brackets. */
  server: z
    .string()
    .regex(/^(\[[0-9a-f:.]+\]|[a-z0-9]([a-z0-9.-]*[a-z0-9])?)$/i)
    .optional(),
  /** Of a NetworkFilesystem: `nfsvers=4.1,hard`, as mount(8) takes them. */
  mountOptions: z
    .string()
    .regex(/^[a-z0-9_]+(=[A-Za-z0-9_.:/-]+)?(,[a-z0-9_]+(=[A-Za-z0-9_.:/-]+)?)*$/)
    .optional(),
  /** Of RBD, and always there. */
  rbd: rbdAccess.optional(),
});

export const poolReference = poolFields.refine(
  ({ type, path, rbd }) =>
    (type === 'RBD') === !path.startsWith('/') && (type === 'RBD') === (rbd !== undefined),
  'RBD pools have a name and an access, all others a directory',
);

/** What the server asks of a host about its pools themselves. Every one is idempotent. */
export const poolMethods = {
  /** Makes a shared pool accessible on the host. The first host to do so marks it as this pool. */
  'pool.attach': {
    params: z.object({ pool: poolReference, first: z.boolean() }),
    result: z.object({ localPath: z.string(), capacityBytes: bytes, availableBytes: bytes }),
    progress: z.never(),
  },
  'pool.detach': {
    params: z.object({ pool: poolReference, last: z.boolean() }),
    result: z.object({}),
    progress: z.never(),
  },
  /** Removes what interrupted transfers left and nobody will go on with. */
  'pool.clean': {
    params: z.object({
      pool: poolReference,
      /** Files, by the beginning of their names, of transfers that are under way or may be gone on with. */
      owned: z.array(z.object({ name: fileName, underWay: z.boolean() })),
    }),
    result: z.object({ removed: z.array(z.string()) }),
    progress: z.never(),
  },
  /**
   * Looks whether another host renews its lease on the pool, for so many seconds of this host's own clock without a
   * change; with `evict` it also tells that host, through the pool, to end its instances there, and waits for that.
   */
  'pool.lease.watch': {
    params: z.object({
      pool: poolReference,
      hostUuid: z.uuid(),
      seconds: z.number().int().min(1).max(7200),
      evict: z.boolean(),
    }),
    result: z.object({ outcome: z.enum(['silent', 'renewed', 'released']) }),
    progress: z.never(),
  },
  /** Reads a committed image back: the digest of the file as it is stored, which transfers from this pool have to yield. */
  'template.digest': {
    params: z.object({ pool: poolReference, installPath: fileName }),
    result: z.object({ checksum: z.string(), sizeBytes: bytes }),
    progress: z.never(),
  },
  /** Offers a committed image to whoever has the path that is answered, until it expires. Nothing is kept: asked again it offers anew. */
  'image.serve': {
    params: z.object({
      pool: poolReference,
      installPath: fileName,
      /** What the file is called where it is saved. */
      name: z.string().min(1).max(255),
      lifetimeSeconds: z
        .number()
        .int()
        .min(1)
        .max(30 * 24 * 3600),
    }),
    result: z.object({
      /** To be put behind the host's address for images. Secret: it is the permission itself. */
      path: z.string().startsWith('/'),
      sizeBytes: bytes,
    }),
    progress: z.never(),
  },
  'pool.stats': {
    params: z.object({ pool: poolReference }),
    result: z.object({ capacityBytes: bytes, availableBytes: bytes }),
    progress: z.never(),
  },
} as const;
