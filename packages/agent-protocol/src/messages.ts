import { z } from 'zod';
import { configDrive } from './config-drive.ts';
import { bridgedNetwork, networkDefinition } from './networks.ts';
import { fileName, poolMethods, poolReference } from './pool-methods.ts';

/** Changed when a message changes in a way an older side cannot read. Sent in `host.hello`; a mismatch is refused. */
export const protocolVersion = 1;

const bytes = z.number().int().nonnegative();
const imageServerUrl = z.url({ protocol: /^https?$/ });
const milliseconds = z.number().int().nonnegative();
const uuid = z.uuid();

/** What is stored on a pool. */
export const imageFormat = z.enum(['qcow2', 'raw', 'iso']);
/** What an image may be declared to be: the last three are converted before they are stored. */
export const declaredFormat = z.enum(['qcow2', 'raw', 'iso', 'vmdk', 'vhd', 'vhdx']);

/** Limits and rules for everything that is fetched on behalf of a user. Decided by the server, obeyed by the agent. */
export const fetchPolicy = z.object({
  connectTimeoutMs: milliseconds,
  /** No byte for this long ends the transfer from a source. */
  stallTimeoutMs: milliseconds,
  checksumAttempts: z.number().int().min(1),
  maxRedirects: z.number().int().min(0),
  maxVirtualSizeBytes: bytes,
  maxTransferBytes: bytes,
  sourceOrder: z.enum(['priority', 'location']),
  /** CIDRs inside the blocked ranges (loopback, link-local, private, …) that are allowed all the same. */
  egressAllowedCidrs: z.array(z.string()),
  /** Sources of one rank used at the same time, and connections to each of them. Absent: the engine's own. */
  maxSources: z.number().int().min(1).optional(),
  maxConnectionsPerSource: z.number().int().min(1).optional(),
  /** Sources of a lower rank join in when the better ones together stay under this. */
  minBytesPerSecond: z.number().positive().optional(),
  /** Of one transfer. */
  rateLimitBytesPerSecond: z.number().positive().optional(),
  /** Of all transfers of the host together; the last message that came says it. */
  hostRateLimitBytesPerSecond: z.number().positive().optional(),
  /** PEM certificates that https sources may be signed by, besides the system's. */
  extraCa: z.array(z.string()).optional(),
  /** Armoured OpenPGP public keys: one of them must have signed what a metalink is about. */
  signatureKeys: z.array(z.string()).optional(),
});

/** What the host may take from the network now. Absent: no limit. */
export const transferLimits = z.object({
  /** Of each transfer. */
  bytesPerSecond: z.number().positive().optional(),
  /** Of all transfers together. */
  hostBytesPerSecond: z.number().positive().optional(),
});

/** How an `s3://` URL is reached. Secret: never logged. */
export const s3Access = z.object({
  endpoint: z.string(),
  region: z.string(),
  accessKeyId: z.string(),
  secretAccessKey: z.string(),
  sessionToken: z.string().optional(),
});

export const imageSource = z.object({
  url: z.string(),
  /** Extra request headers (`HTTP_HEADER` details). Secret: never logged. */
  headers: z.record(z.string(), z.string()),
  format: declaredFormat,
  /** `{ALG}hex`; absent when the registration had none. */
  checksum: z.string().optional(),
  /** The file wanted of a metalink with several. */
  wantedFile: z.string().optional(),
  s3: s3Access.optional(),
});

/** A source of which nothing but the URL need be known: the image is whatever it turns out to be. */
export const probedSource = imageSource.extend({ format: declaredFormat.optional() });

/** One try at one source, as shown to users. `url` is redacted. */
export const sourceAttempt = z.object({
  url: z.string(),
  /** 1-based position of the source in the order it was tried from. */
  sourceRank: z.number().int(),
  location: z.string().optional(),
  /** 1..checksumAttempts */
  checksumAttempt: z.number().int(),
  /** 1-based count of tries at this source within this checksum attempt. */
  tryNumber: z.number().int(),
  state: z.enum(['running', 'succeeded', 'failed']),
  bytes,
  totalBytes: bytes.optional(),
  bytesPerSecond: z.number().nonnegative(),
  durationMs: milliseconds,
  /** Error code of the image package's registry, when failed. */
  reason: z.string().optional(),
  message: z.string().optional(),
  /** `{ALG}hex` of the bytes received, when all of them arrived and they were not the expected ones. */
  checksum: z.string().optional(),
  next: z
    .enum(['same-source', 'next-source', 'next-checksum-attempt', 'next-host', 'stop', 'done'])
    .optional(),
});

export const imagePhase = z.enum([
  'planning',
  'transferring',
  'verifying',
  'unpacking',
  'inspecting',
  'converting',
  'committing',
  'committed',
]);

export const imageProgress = z.object({
  phase: imagePhase,
  url: z.string().optional(),
  bytes,
  totalBytes: bytes.optional(),
  bytesPerSecond: z.number().nonnegative(),
  etaSeconds: z.number().nonnegative().optional(),
  attempts: z.array(sourceAttempt),
});

export const probeReport = z.object({
  usable: z.boolean(),
  metalink: z.boolean(),
  sources: z.array(
    z.object({
      url: z.string(),
      location: z.string().optional(),
      priority: z.number().optional(),
      usable: z.boolean(),
      reason: z.string().optional(),
      message: z.string().optional(),
      sizeBytes: bytes.optional(),
    }),
  ),
  /** Set when the bytes themselves are refused (backing file, wrong format, …): final. */
  refusal: z.object({ code: z.string(), message: z.string() }).optional(),
  format: declaredFormat.optional(),
  compression: z.enum(['none', 'gzip', 'bzip2', 'xz', 'zstd', 'zip', 'tar']).optional(),
  virtualSizeBytes: bytes.optional(),
  transferBytes: bytes.optional(),
  /** The digest that will be verified, `{ALG}hex`: the registration's, else the metalink's strongest. */
  checksum: z.string().optional(),
  warnings: z.array(z.string()),
});

/** A disk beside the root disk. Its position gives its name in the guest: 1 is the second virtio disk. */
const dataDisk = z.object({ path: fileName, serial: z.string(), position: z.number().int().min(1).max(25) });

export const vmSpec = z.object({
  uuid,
  /** libvirt domain name, CloudStack's `instancename`: i-<account>-<vm>-<suffix>. */
  instanceName: z.string().regex(/^[A-Za-z0-9-]{1,60}$/),
  /** Host name of the guest, for DHCP. */
  hostName: z.string().regex(/^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$/i),
  cpus: z.number().int().min(1).max(256),
  memoryMiB: z.number().int().min(16),
  pool: poolReference,
  rootDisk: z.object({ path: fileName, format: z.literal('qcow2'), serial: z.string() }),
  /** Further disks: files of the same pool. */
  dataDisks: z.array(dataDisk).optional(),
  /** The ISO in the CD-ROM drive, which every VM has: a file of the pool. */
  cdrom: z.object({ path: fileName, bootFirst: z.boolean() }).optional(),
  nics: z.array(
    z.object({
      mac: z.string().regex(/^([0-9a-f]{2}:){5}[0-9a-f]{2}$/),
      ip: z.ipv4().optional(),
      /** What the guest is told beside its address, where no DHCP of the host tells it. */
      subnet: z.object({ netmask: z.ipv4(), gateway: z.ipv4(), dns: z.array(z.ipv4()) }).optional(),
      network: networkDefinition,
    }),
  ),
  /** Absent: the guest gets no drive, and the one it may have had is taken away. */
  configDrive: configDrive.optional(),
  /**
   * It is started elsewhere when its host is lost: the host must end it by itself when it has neither renewed its lease
   * on the pool nor heard from a server for this long.
   */
  ha: z.object({ leaseSeconds: z.number().int().min(3).max(3600) }).optional(),
});

export const vmPowerState = z.enum(['Running', 'Stopped', 'Missing']);

const vmReference = z.object({ uuid, instanceName: z.string() });

export const consoleKind = z.enum(['screen', 'serial']);
/** Where a host brings the stream of a console, followed by the ticket that `console.open` named. */
export const consolePath = '/console/';

/** One move of one VM between two hosts. The secret is for these two hosts and this move alone: never logged. */
const migration = z.object({ session: uuid, secret: z.string().regex(/^[0-9a-f]{64}$/) });

/** Requests the server sends to an agent. Every one is idempotent: the same request may arrive again after a crash. */
export const agentMethods = {
  /** Finds the checksum of an image in a published list, and says in a sentence how it is trusted. */
  'checksum.find': {
    params: z.object({ source: probedSource, checksumUrl: z.string(), policy: fetchPolicy }),
    result: z.object({ checksum: z.string(), trust: z.string(), warnings: z.array(z.string()) }),
    progress: z.never(),
  },
  'image.probe': {
    params: z.object({
      source: probedSource,
      policy: fetchPolicy,
      location: z.array(z.string()),
    }),
    result: probeReport,
    progress: z.never(),
  },
  'template.prepare': {
    params: z.object({
      pool: poolReference,
      installPath: fileName,
      source: imageSource,
      policy: fetchPolicy,
      /** Labels of the host, nearest first: its own location, then cluster's, pod's, zone's. */
      location: z.array(z.string()),
      /** Who goes first where the host's rate is limited. Default: a deployment. */
      priority: z.enum(['deployment', 'prefetch']).optional(),
      /** A file of the pool with the very bytes that this one shall have. Should it be gone, the image is fetched. */
      same: fileName.optional(),
    }),
    result: z.object({
      installPath: fileName,
      format: imageFormat,
      /** Size of the committed file. */
      sizeBytes: bytes,
      virtualSizeBytes: bytes,
      transferredBytes: bytes,
      /** What an interrupted transfer had left and this one went on with. */
      resumedBytes: bytes.optional(),
      verifiedBy: z.enum(['digest', 'pieces', 'nothing']).optional(),
      convertedFrom: z.enum(['vmdk', 'vhd', 'vhdx', 'qcow2']).optional(),
      /** True when the file was there already, or was made of `same`, and nothing was moved. */
      reused: z.boolean(),
      /** How the file was made of `same`. */
      linked: z.enum(['reflink', 'hard-link', 'clone']).optional(),
      /** Digest of the transferred bytes, `{ALG}hex`. */
      checksum: z.string(),
      attempts: z.array(sourceAttempt),
      warnings: z.array(z.string()),
      /** Time spent per phase, milliseconds. */
      phaseMs: z.record(z.string(), milliseconds),
    }),
    progress: imageProgress,
  },
  'template.check': {
    params: z.object({ pool: poolReference, installPath: fileName }),
    result: z.object({ present: z.boolean(), sizeBytes: bytes.optional() }),
    progress: z.never(),
  },
  'template.remove': {
    params: z.object({ pool: poolReference, installPath: fileName }),
    result: z.object({}),
    progress: z.never(),
  },
  'volume.create': {
    params: z.object({
      pool: poolReference,
      path: fileName,
      /** Absent: an empty disk, which needs a size. */
      backing: z.object({ installPath: fileName, format: z.enum(['qcow2', 'raw']) }).optional(),
      /** Wanted virtual size; the backing image's own size when absent or smaller. */
      sizeBytes: bytes.optional(),
      /** Replace an existing file of this name (reinstall); otherwise an existing file is kept as it is. */
      replace: z.boolean(),
    }),
    result: z.object({ path: fileName, virtualSizeBytes: bytes, physicalSizeBytes: bytes }),
    progress: z.never(),
  },
  /** Plugs a disk into a running VM. Of one that does not run nothing is changed: its next start brings what it shall have. */
  'volume.attach': {
    params: z.object({ vm: vmReference, pool: poolReference, disk: dataDisk }),
    result: z.object({ state: vmPowerState }),
    progress: z.never(),
  },
  /** Unplugs it: the guest has to let go. */
  'volume.detach': {
    params: z.object({ vm: vmReference, pool: poolReference, disk: dataDisk }),
    result: z.object({ state: vmPowerState }),
    progress: z.never(),
  },
  /** Makes a disk larger; a running VM sees it at once. */
  'volume.resize': {
    params: z.object({ vm: vmReference.optional(), pool: poolReference, path: fileName, sizeBytes: bytes }),
    result: z.object({ virtualSizeBytes: bytes }),
    progress: z.never(),
  },
  'volume.remove': {
    params: z.object({ pool: poolReference, path: fileName }),
    result: z.object({}),
    progress: z.never(),
  },
  'vm.start': {
    params: z.object({ vm: vmSpec }),
    result: z.object({ state: vmPowerState, startedNow: z.boolean(), startMs: milliseconds }),
    progress: z.never(),
  },
  'vm.stop': {
    params: z.object({ vm: vmReference, forced: z.boolean(), timeoutSeconds: z.number().int().positive() }),
    result: z.object({ state: vmPowerState, forcedAfterTimeout: z.boolean() }),
    progress: z.never(),
  },
  'vm.reboot': {
    params: z.object({ vm: vmReference, forced: z.boolean(), timeoutSeconds: z.number().int().positive() }),
    result: z.object({ state: vmPowerState }),
    progress: z.never(),
  },
  'vm.remove': {
    params: z.object({ vm: vmReference }),
    result: z.object({}),
    progress: z.never(),
  },
  'network.remove': {
    params: z.object({ network: bridgedNetwork }),
    result: z.object({}),
    progress: z.never(),
  },
  'vm.state': {
    params: z.object({ vm: vmReference }),
    result: z.object({ state: vmPowerState }),
    progress: z.never(),
  },
  /** Puts an ISO into the drive of a running VM, instead of the one that is there, or takes that one out. */
  'vm.cdrom': {
    params: z.object({
      vm: vmReference,
      pool: poolReference,
      /** Absent: the drive is emptied. */
      path: fileName.optional(),
      /** Also when the guest has locked the drive. */
      forced: z.boolean(),
    }),
    /** Of a VM that does not run nothing is changed: its next start brings what it shall have. */
    result: z.object({ state: vmPowerState }),
    progress: z.never(),
  },
  /** Gets a host ready to take a running VM from another one: its networks, and the end of a tunnel for this one move. */
  'vm.migrate.expect': {
    params: z.object({ vm: vmSpec, move: migration }),
    result: z.object({
      /** What the host says of the VM now: when it runs here already, the move was made before. */
      state: vmPowerState,
      /** Where the tunnel's other end dials. */
      port: z.number().int().min(0).max(65535),
      /** Its directory of the pool: the same on both hosts, or the VM finds its disks no more. */
      poolPath: z.string(),
    }),
    progress: z.never(),
  },
  /** Moves a running VM through that tunnel. The VM runs on one of the hosts at any time, and on one only at the end. */
  'vm.migrate.send': {
    params: z.object({
      vm: vmReference,
      pool: poolReference,
      move: migration,
      address: z.string(),
      port: z.number().int().min(1).max(65535),
      poolPath: z.string(),
    }),
    result: z.object({ state: vmPowerState, moveMs: milliseconds }),
    progress: z.never(),
  },
  /** Takes down what `vm.migrate.expect` set up. */
  'vm.migrate.end': {
    params: z.object({ move: migration }),
    result: z.object({}),
    progress: z.never(),
  },
  'vm.console': {
    params: z.object({ vm: vmReference, offset: bytes, limit: z.number().int().min(1).max(1_048_576) }),
    /** Bytes of the serial console's log from `offset`, Base64. */
    result: z.object({ data: z.base64(), nextOffset: bytes }),
    progress: z.never(),
  },
  /**
   * Connects a guest's screen (RFB, as its VNC server speaks it) or serial line with the server that asks: the host dials
   * `consolePath` + ticket there, and from then on binary messages are the guest's bytes, both ways. It ends with either
   * side. A serial line has one listener: the newest.
   */
  'console.open': {
    params: z.object({
      vm: vmReference,
      kind: consoleKind,
      ticket: z.string().regex(/^[0-9a-f]{64}$/),
    }),
    result: z.object({}),
    progress: z.never(),
  },
  ...poolMethods,
} as const satisfies Record<string, MethodDefinition>;

export const vmStateReport = z.object({ uuid, instanceName: z.string(), state: vmPowerState });

/** Requests and notifications an agent sends to the server. */
export const serverMethods = {
  /** First message on a connection. The server answers with what the agent must know of itself. */
  'host.hello': {
    params: z.object({
      protocolVersion: z.number().int(),
      agentVersion: z.string(),
      hostName: z.string(),
      arch: z.string(),
      cpus: z.number().int(),
      cpuMhz: z.number().int(),
      memoryBytes: bytes,
      hypervisorVersion: z.string(),
      /** `kvm` when the CPU can, else `qemu` (TCG). */
      virtType: z.enum(['kvm', 'qemu']),
      addresses: z.array(z.string()),
      /** `image-store`: a machine without a hypervisor that looks after image stores. */
      role: z.enum(['host', 'image-store']).optional(),
      /** Where it serves images, when it does: for other hosts, and for users. */
      imageServer: z.object({ hostUrl: imageServerUrl, publicUrl: imageServerUrl }).optional(),
      localPool: z.object({ path: z.string(), capacityBytes: bytes, availableBytes: bytes }).optional(),
      /** Every domain libvirt knows, so that the server can correct what it believes. */
      vms: z.array(vmStateReport),
      /** Names of networks in libvirt, and of bridges, that were made for networks of the cloud. Absent from an older agent. */
      networks: z.array(z.string()).optional(),
    }),
    /** The bound keeps a host from doing nothing but heartbeats. */
    result: z.object({ hostUuid: uuid, heartbeatMs: milliseconds.min(10) }),
    progress: z.never(),
  },
  'host.heartbeat': {
    params: z.object({
      memoryFreeBytes: bytes,
      loadAverage: z.number(),
      localPool: z.object({ capacityBytes: bytes, availableBytes: bytes }).optional(),
    }),
    /** The limits of this moment hold for running transfers too. Absent from an older server: nothing changes. */
    result: z.object({ limits: transferLimits.optional() }),
    progress: z.never(),
  },
  /** Sent on every libvirt lifecycle event. */
  'vm.changed': { params: vmStateReport, result: z.object({}), progress: z.never() },
} as const satisfies Record<string, MethodDefinition>;

export interface MethodDefinition {
  readonly params: z.ZodType;
  readonly result: z.ZodType;
  readonly progress: z.ZodType;
}

export type MethodTable = Readonly<Record<string, MethodDefinition>>;
export type AgentMethods = typeof agentMethods;
export type ServerMethods = typeof serverMethods;
export type ParamsOf<T extends MethodTable, M extends keyof T> = z.infer<T[M]['params']>;
export type ResultOf<T extends MethodTable, M extends keyof T> = z.infer<T[M]['result']>;
export type ProgressOf<T extends MethodTable, M extends keyof T> = z.infer<T[M]['progress']>;

export type ImageFormat = z.infer<typeof imageFormat>;
export type ImageSourceMessage = z.infer<typeof imageSource>;
export type FetchPolicy = z.infer<typeof fetchPolicy>;
export type TransferLimits = z.infer<typeof transferLimits>;
export type SourceAttempt = z.infer<typeof sourceAttempt>;
export type ImageProgressMessage = z.infer<typeof imageProgress>;
export type ProbedSource = z.infer<typeof probedSource>;
export type ProbeReport = z.infer<typeof probeReport>;
export type PoolReference = z.infer<typeof poolReference>;
export type VmSpec = z.infer<typeof vmSpec>;
export type ConsoleKind = z.infer<typeof consoleKind>;
export type VmReference = z.infer<typeof vmReference>;
export type VmPowerState = z.infer<typeof vmPowerState>;
export type VmStateReport = z.infer<typeof vmStateReport>;

/**
 * `error.data` of a failed request. `failureClass` says where the retry policy goes next:
 * another host may succeed, or nothing will (refused image, refused URL, cancelled).
 */
export const failureData = z.object({
  code: z.string(),
  failureClass: z.enum(['next-host', 'stop']),
  attempts: z.array(sourceAttempt).optional(),
});
export type FailureData = z.infer<typeof failureData>;
