-- What a tenant's blocks run on, and the sealed secrets to get in.
create schema inventory;

create table inventory.site (
  tenant_id uuid not null,
  id uuid not null,
  name text not null check (length(name) between 1 and 128),
  version int not null,
  created_at timestamptz not null default now(),
  primary key (tenant_id, id),
  constraint site_name unique (tenant_id, name)
);
call web.tenant_table('inventory.site', 'select, insert, update, delete', 'select, delete');

-- One key per tenant and version, wrapped by the provider's root key. Destroying it destroys the tenant's secrets.
create table inventory.tenant_key (
  tenant_id uuid not null,
  version int not null check (version > 0),
  wrapped bytea not null,
  created_at timestamptz not null default now(),
  primary key (tenant_id, version)
);
-- An offboarded tenant's key and secrets are overwritten, since devices and receipts name the rows.
call web.tenant_table('inventory.tenant_key', 'select, insert', 'select, delete, update (wrapped)');

create table inventory.credential (
  tenant_id uuid not null,
  id uuid not null,
  name text not null check (length(name) between 1 and 128),
  username text not null,
  kind text not null check (kind in ('password', 'ssh_key', 'enable')),
  fingerprint text not null,
  version int not null,
  secret_version int not null check (secret_version > 0),
  ct bytea not null,
  nonce bytea not null check (length(nonce) = 12),
  wrapped_dek bytea not null,
  tenant_key_version int not null,
  alg text not null check (alg = 'A256GCM'),
  created_at timestamptz not null default now(),
  rotated_at timestamptz not null default now(),
  primary key (tenant_id, id),
  constraint credential_name unique (tenant_id, name),
  foreign key (tenant_id, tenant_key_version) references inventory.tenant_key
);
call web.tenant_table('inventory.credential', 'select, insert, update, delete', 'select, delete, update (ct, nonce, wrapped_dek)');

create table inventory.device (
  tenant_id uuid not null,
  id uuid not null,
  name text not null check (length(name) between 1 and 63),
  site_id uuid not null,
  address text not null check (length(address) between 1 and 253),
  port int not null check (port between 1 and 65535),
  platform text not null,
  credential_id uuid not null,
  host_key_sha256 text check (host_key_sha256 ~ '^SHA256:[A-Za-z0-9+/]{43}$'),
  host_key text,
  labels jsonb not null check (jsonb_typeof(labels) = 'object'),
  enabled boolean not null,
  version int not null,
  created_at timestamptz not null default now(),
  primary key (tenant_id, id),
  constraint device_name unique (tenant_id, name),
  -- Deferrable, so that one import may swap two addresses.
  constraint device_address unique (tenant_id, site_id, address, port) deferrable initially immediate,
  constraint device_site foreign key (tenant_id, site_id) references inventory.site,
  constraint device_credential foreign key (tenant_id, credential_id) references inventory.credential,
  check (host_key is null or host_key_sha256 is not null)
);
create index on inventory.device (tenant_id, credential_id);
call web.tenant_table('inventory.device', 'select, insert, update, delete', 'select, delete');
