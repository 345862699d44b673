import type { Generated } from 'kysely';
import type { Created, Defaulted, Identified, Nullable, NullableJson, Time } from './columns.ts';

interface StoragePool extends Identified {
  name: string;
  pool_type: string;
  scope: string;
  path: string;
  host_address: Nullable<string>;
  data_center_id: number;
  pod_id: Nullable<number>;
  cluster_id: Nullable<number>;
  capacity_bytes: Defaulted<number>;
  used_bytes: Defaulted<number>;
  status: Defaulted<string>;
  tags: Nullable<string>;
  mount_options: Nullable<string>;
  port: Nullable<number>;
  rbd_user: Nullable<string>;
  /** Of cephx: for hosts alone. */
  rbd_secret: Nullable<string>;
  low_space_told: Defaulted<boolean>;
}

/** Tables about where images and disks are kept. */
export interface StorageTables {
  /** Every place that keeps images: storage pools and image stores. */
  data_store: StoragePool & {
    role: Defaulted<'Primary' | 'Image'>;
    provider: Nullable<string>;
    url: Nullable<string>;
    read_only: Defaulted<boolean>;
  };
  /** A view: those on which instances run. */
  storage_pool: StoragePool;
  storage_pool_work: { pool_id: number; vm_id: number };
  storage_pool_host_ref: { pool_id: number; host_id: number; local_path: string; created: Created };
  template_spool_ref: {
    id: Generated<number>;
    pool_id: number;
    template_id: number;
    created: Created;
    last_updated: Defaulted<Date>;
    job_id: Nullable<string>;
    download_pct: Defaulted<number>;
    download_state: string;
    error_str: Nullable<string>;
    local_path: Nullable<string>;
    install_path: Nullable<string>;
    template_size: Defaulted<number>;
    checksum: Nullable<string>;
    state: string;
    marked_for_gc: Defaulted<boolean>;
    generation: Defaulted<number>;
    lease_owner: Nullable<string>;
    lease_until: Time;
    transfer_progress: NullableJson;
    failure: NullableJson;
    last_used: Defaulted<Date>;
    removal_reason: Nullable<string>;
    digest_computed: Defaulted<boolean>;
    /** `{ALG}hex` of the file as it is stored, where it was read back. */
    file_digest: Nullable<string>;
    /** When that was last seen to be so. */
    checked: Time;
  };
  template_content: {
    template_id: number;
    version: number;
    digest: string;
    size_bytes: number;
    recorded: Defaulted<Date>;
  };
}
