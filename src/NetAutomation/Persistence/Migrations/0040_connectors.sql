-- Connectors, their one-time join tokens and their sessions.
create schema connectors;

create table connectors.connector (
  tenant_id uuid not null,
  id uuid not null,
  site_id uuid not null,
  -- The row of a revoked connector is history and keeps no site.
  serves_site_id uuid generated always as (case when state <> 'revoked' then site_id end) stored,
  name text not null check (length(name) between 1 and 100),
  state text not null default 'pending' check (state in ('pending', 'active', 'cloned', 'revoked')),
  -- SubjectPublicKeyInfo of the key made on the connector's host.
  public_key bytea,
  version text check (length(version) <= 50),
  highest_fence bigint not null default 0 check (highest_fence >= 0),
  -- Which start of the connector's state directory attached last. Two that are alive at once are two copies of it: the connector is locked.
  generation bigint not null default 0 check (generation >= 0),
  instance text check (length(instance) between 1 and 100),
  instance_address text check (length(instance_address) <= 100),
  instance_since timestamptz,
  row_version int not null default 1,
  created_at timestamptz not null default now(),
  last_seen_at timestamptz,
  primary key (tenant_id, id),
  check (state <> 'pending' or public_key is null),
  check (state <> 'active' or public_key is not null),
  foreign key (tenant_id, serves_site_id) references inventory.site (tenant_id, id)
);
create unique index on connectors.connector (tenant_id, name) where state <> 'revoked';
create index on connectors.connector (tenant_id, site_id);
call web.tenant_table('connectors.connector', 'select, insert, update', 'select, update');
create trigger frozen before update on connectors.connector for each row
  execute function web.frozen('tenant_id', 'id', 'site_id', 'created_at');

create table connectors.join_token (
  tenant_id uuid not null,
  sha256 bytea not null check (length(sha256) = 32),
  connector_id uuid not null,
  expires_at timestamptz not null,
  used_at timestamptz,
  primary key (tenant_id, sha256),
  foreign key (tenant_id, connector_id) references connectors.connector
);
create index on connectors.join_token (tenant_id, connector_id);
call web.tenant_table('connectors.join_token', 'select, insert, update', 'select, delete');

create table connectors.connector_session (
  tenant_id uuid not null,
  id uuid not null,
  connector_id uuid not null,
  replica text not null,
  -- Where the other processes of the service reach the one that holds the session; null where it takes no calls of them.
  replica_url text check (length(replica_url) <= 200),
  state text not null default 'attached' check (state in ('attached', 'closed')),
  attached_at timestamptz not null default now(),
  seen_at timestamptz not null default now(),
  generation bigint not null default 0,
  primary key (tenant_id, id),
  foreign key (tenant_id, connector_id) references connectors.connector
);
create index on connectors.connector_session (id);
create index on connectors.connector_session (tenant_id, connector_id) where state = 'attached';
create index on connectors.connector_session (seen_at);
create index on connectors.connector_session (tenant_id, seen_at);
call web.tenant_table('connectors.connector_session', 'select, insert, update', 'select, update, delete');
