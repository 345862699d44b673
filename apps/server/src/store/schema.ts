import type { ColumnType, Generated, Insertable, Selectable, Updateable } from 'kysely';
import type { Created, Defaulted, Identified, Json, Nullable, NullableJson, Time } from './columns.ts';
import type { StorageTables } from './storage-tables.ts';

/** Row types of the migrations' tables. bigint columns arrive as numbers (see database.ts). */
/** Whether a list shows a row. */
export type ListState = 'shown' | 'archived' | 'deleted';
type StringMap = Readonly<Record<string, string>>;

/** A public key that an instance has. */
export interface SshKey {
  readonly name: string;
  readonly publicKey: string;
}

export interface Tables extends StorageTables {
  domain: Identified & { name: string; path: string; parent: Nullable<number>; level: Defaulted<number> };
  account: Identified & {
    account_name: string;
    type: number;
    domain_id: number;
    state: Defaulted<string>;
    role_id: Nullable<number>;
  };
  roles: Identified & {
    name: string;
    role_type: string;
    account_type: Nullable<number>;
    description: Nullable<string>;
    is_default: Defaulted<boolean>;
  };
  role_permissions: {
    id: Generated<number>;
    uuid: string;
    role_id: number;
    rule: string;
    permission: 'allow' | 'deny';
    description: Nullable<string>;
    sort_order: number;
  };
  user: Identified & {
    username: string;
    password: string;
    account_id: number;
    firstname: Defaulted<string>;
    lastname: Defaulted<string>;
    email: Defaulted<string>;
    state: Defaulted<string>;
    timezone: Nullable<string>;
    api_key: Nullable<string>;
    secret_key: Nullable<string>;
  };
  user_session: {
    id: string;
    session_key_hash: string;
    user_id: number;
    created: Created;
    last_used: Defaulted<Date>;
  };
  console_session: {
    id: Generated<number>;
    uuid: string;
    token_hash: string;
    kind: 'screen' | 'serial';
    user_id: number;
    account_id: number;
    instance_id: number;
    created: Created;
    expires: ColumnType<Date, Date, never>;
    acquired: Time;
  };
  configuration: { name: string; value: string; updated: Defaulted<Date> };
  data_center: Identified & {
    name: string;
    networktype: Defaulted<string>;
    dns1: string;
    internal_dns1: string;
    allocation_state: Defaulted<string>;
    local_storage_enabled: Defaulted<boolean>;
    location: Nullable<string>;
    dns2: Nullable<string>;
    internal_dns2: Nullable<string>;
    sort_key: Defaulted<number>;
  };
  host_pod_ref: Identified & {
    name: string;
    data_center_id: number;
    gateway: Nullable<string>;
    netmask: Nullable<string>;
    start_ip: Nullable<string>;
    end_ip: Nullable<string>;
    allocation_state: Defaulted<string>;
    location: Nullable<string>;
  };
  cluster: Identified & {
    name: string;
    pod_id: number;
    data_center_id: number;
    hypervisor_type: Defaulted<string>;
    allocation_state: Defaulted<string>;
    managed_state: Defaulted<string>;
    location: Nullable<string>;
    low_memory_told: Generated<boolean>;
    low_cpu_told: Generated<boolean>;
  };
  cluster_details: { cluster_id: number; name: string; value: string };
  data_center_details: { data_center_id: number; name: string; value: string };
  storage_pool_details: { pool_id: number; name: string; value: string };
  account_details: { account_id: number; name: string; value: string };
  domain_details: { domain_id: number; name: string; value: string };
  host: Identified & {
    name: string;
    status: string;
    type: Defaulted<string>;
    resource_state: Defaulted<string>;
    private_ip_address: Nullable<string>;
    data_center_id: number;
    pod_id: number;
    cluster_id: number;
    hypervisor_type: Defaulted<string>;
    hypervisor_version: Nullable<string>;
    virt_type: Nullable<string>;
    arch: Defaulted<string>;
    cpus: Defaulted<number>;
    speed: Defaulted<number>;
    ram: Defaulted<number>;
    ram_free: Nullable<number>;
    load_average: Nullable<number>;
    version: Nullable<string>;
    location: Nullable<string>;
    last_ping: Time;
    disconnected: Time;
    tags: Nullable<string>;
    renamed: Defaulted<boolean>;
    /** Where it serves images: to hosts, and to users. */
    image_host_url: Nullable<string>;
    image_public_url: Nullable<string>;
  };
  agent_join_token: {
    id: string;
    secret_hash: string;
    cluster_id: number;
    expires: Date;
    host_id: Nullable<number>;
    for_host_id: Nullable<number>;
    created: Created;
  };
  resource_limit: {
    id: Generated<number>;
    account_id: Nullable<number>;
    domain_id: Nullable<number>;
    type: string;
    max: number;
  };
  service_offering: Identified & {
    name: string;
    display_text: string;
    cpu: number;
    speed: number;
    ram_size: number;
    storage_type: Defaulted<string>;
    tags: Nullable<string>;
    host_tag: Nullable<string>;
    ha_enabled: Defaulted<boolean>;
  };
  disk_offering: Identified & {
    name: string;
    display_text: string;
    disk_size: Nullable<number>;
    sort_key: Defaulted<number>;
  };
  networks: Identified & {
    name: string;
    display_text: string;
    data_center_id: number;
    traffic_type: Defaulted<string>;
    guest_type: Defaulted<string>;
    state: Defaulted<string>;
    libvirt_name: string;
    bridge: string;
    gateway: Nullable<string>;
    netmask: Nullable<string>;
    cidr: Nullable<string>;
    start_ip: Nullable<string>;
    end_ip: Nullable<string>;
    is_default: Defaulted<boolean>;
    kind: ColumnType<'nat' | 'bridge', 'nat' | 'bridge' | undefined, never>;
    network_offering_id: Nullable<number>;
    physical_network_id: Nullable<number>;
    uplink: Nullable<string>;
    vlan: Nullable<number>;
    acl_type: Defaulted<string>;
    account_id: Nullable<number>;
    domain_id: Nullable<number>;
    subdomain_access: Defaulted<boolean>;
    dns1: Nullable<string>;
    dns2: Nullable<string>;
  };
  physical_network: Identified & {
    name: string;
    data_center_id: number;
    vlan_range: Nullable<string>;
    speed: Nullable<string>;
    tags: Nullable<string>;
    state: Defaulted<string>;
  };
  physical_network_traffic_type: {
    id: Generated<number>;
    uuid: string;
    physical_network_id: number;
    traffic_type: string;
    kvm_network_label: Nullable<string>;
  };
  network_offering: Identified & {
    name: string;
    display_text: string;
    guest_type: 'Shared' | 'L2';
    specify_vlan: boolean;
    specify_ip_ranges: boolean;
    state: Defaulted<string>;
    is_default: Defaulted<boolean>;
    sort_key: Defaulted<number>;
  };
  vlan_ip_range: {
    id: Generated<number>;
    uuid: string;
    network_id: number;
    gateway: string;
    netmask: string;
    start_ip: string;
    end_ip: string;
    created: Created;
  };
  guest_os_category: { id: Generated<number>; uuid: string; name: string };
  guest_os: { id: Generated<number>; uuid: string; category_id: number; display_name: string };
  vm_template: Identified & {
    unique_name: string;
    name: string;
    display_text: string;
    public: Defaulted<boolean>;
    featured: Defaulted<boolean>;
    type: Defaulted<string>;
    bits: Defaulted<number>;
    url: string;
    format: string;
    account_id: number;
    checksum: Nullable<string>;
    enable_password: Defaulted<boolean>;
    enable_sshkey: Defaulted<boolean>;
    guest_os_id: number;
    bootable: Defaulted<boolean>;
    extractable: Defaulted<boolean>;
    cross_zones: Defaulted<boolean>;
    dynamically_scalable: Defaulted<boolean>;
    hvm: Defaulted<boolean>;
    hypervisor_type: Defaulted<string>;
    template_tag: Nullable<string>;
    arch: Defaulted<string>;
    direct_download: boolean;
    size: Nullable<number>;
    physical_size: Nullable<number>;
    source_count: Nullable<number>;
    state: Defaulted<string>;
    user_data_id: Nullable<number>;
    user_data_link_policy: Nullable<string>;
    image_uuid: Nullable<string>;
    superseded_by: Nullable<number>;
    sort_key: Defaulted<number>;
  };
  launch_permission: { template_id: number; account_id: number; created: Created };
  resource_tags: {
    id: Generated<number>;
    uuid: Defaulted<string>;
    key: string;
    value: string;
    resource_type: string;
    resource_uuid: string;
    account_id: number;
    created: Created;
  };
  ssh_keypairs: {
    id: Generated<number>;
    uuid: string;
    account_id: number;
    keypair_name: string;
    fingerprint: string;
    public_key: string;
    created: Created;
  };
  user_data: {
    id: Generated<number>;
    uuid: string;
    account_id: number;
    name: string;
    user_data: string;
    params: Nullable<string>;
    created: Created;
  };
  vm_template_details: { id: Generated<number>; template_id: number; name: string; value: string };
  template_zone_ref: { zone_id: number; template_id: number; created: Created; removed: Time };
  vm_instance: Identified & {
    name: string;
    display_name: string;
    instance_name: string;
    state: string;
    update_count: Defaulted<number>;
    vm_template_id: number;
    iso_id: Nullable<number>;
    guest_os_id: number;
    host_id: Nullable<number>;
    last_host_id: Nullable<number>;
    pod_id: Nullable<number>;
    data_center_id: number;
    account_id: number;
    user_id: number;
    service_offering_id: number;
    user_data: Nullable<string>;
    user_data_id: Nullable<number>;
    user_data_details: ColumnType<StringMap | null, string | null | undefined, string | null>;
    ssh_keys: ColumnType<readonly SshKey[], string | undefined, string>;
    ha_enabled: Defaulted<boolean>;
    ha_lease_seconds: Nullable<number>;
    ha_restart: Defaulted<boolean>;
    encrypted_password: Nullable<string>;
    new_password: Nullable<string>;
    error_text: Nullable<string>;
    power_state: Nullable<string>;
    power_state_update_time: Time;
    update_time: Defaulted<Date>;
  };
  vm_instance_details: { id: Generated<number>; vm_id: number; name: string; value: string };
  volumes: Identified & {
    name: string;
    volume_type: Defaulted<string>;
    state: string;
    size: Defaulted<number>;
    physical_size: Nullable<number>;
    path: Nullable<string>;
    device_id: Defaulted<number>;
    instance_id: Nullable<number>;
    template_id: Nullable<number>;
    disk_offering_id: Nullable<number>;
    pool_id: Nullable<number>;
    data_center_id: number;
    account_id: number;
    attached: Time;
  };
  nics: Identified & {
    instance_id: number;
    network_id: number;
    mac_address: string;
    ip4_address: Nullable<string>;
    netmask: Nullable<string>;
    gateway: Nullable<string>;
    device_id: Defaulted<number>;
    default_nic: Defaulted<boolean>;
  };
  event: {
    id: Generated<number>;
    uuid: string;
    type: string;
    state: string;
    level: string;
    description: string;
    user_id: Nullable<number>;
    account_id: Nullable<number>;
    domain_id: Nullable<number>;
    resource_type: Nullable<string>;
    resource_uuid: Nullable<string>;
    job_uuid: Nullable<string>;
    start_uuid: Nullable<string>;
    client_address: Nullable<string>;
    event_state: Generated<ListState>;
    alert_state: Generated<ListState>;
    created: Created;
  };
  async_job: {
    id: Generated<number>;
    uuid: string;
    user_id: number;
    account_id: number;
    job_cmd: string;
    job_cmd_info: Json;
    job_status: Defaulted<number>;
    job_process_status: Defaulted<number>;
    job_result_code: Defaulted<number>;
    job_result: NullableJson;
    job_progress: NullableJson;
    instance_type: Nullable<string>;
    instance_uuid: Nullable<string>;
    attempts: Defaulted<number>;
    executing_server: Nullable<string>;
    created: Created;
    last_updated: Defaulted<Date>;
    completed: Time;
  };
  job_step: {
    id: Generated<number>;
    job_id: number;
    name: string;
    state: string;
    output: NullableJson;
    error: Nullable<string>;
    started: Defaulted<Date>;
    ended: Time;
  };
  direct_download_certificate: Identified & { alias: string; certificate: string; zone_id: number };
  /** One row: it tells a server that comes later whether it has the keys. */
  sealing_check: { id: Defaulted<number>; text: string };
  certificate_authority: {
    id: Defaulted<number>;
    certificate: string;
    private_key: string;
    created: Created;
  };
  deployment_attempt: {
    id: Generated<number>;
    job_id: number;
    vm_id: Nullable<number>;
    ordinal: number;
    host_id: Nullable<number>;
    pool_id: Nullable<number>;
    state: string;
    reason: Nullable<string>;
    message: Nullable<string>;
    next: Nullable<string>;
    source_attempts: ColumnType<unknown, string | undefined, string>;
    phase_ms: NullableJson;
    started: Defaulted<Date>;
    ended: Time;
  };
}

export type Row<T extends keyof Tables> = Selectable<Tables[T]>;
export type NewRow<T extends keyof Tables> = Insertable<Tables[T]>;
export type RowUpdate<T extends keyof Tables> = Updateable<Tables[T]>;
