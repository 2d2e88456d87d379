-- Connectors, their one-time join tokens and their sessions.
create schema connectors;
grant usage on schema connectors to na_app, na_system;

create table connectors.connector (
  tenant_id uuid not null,
  id uuid not null,
  site_id uuid not null,
  name text not null check (length(name) between 1 and 100),
  state text not null default 'pending' check (state in ('pending', 'active', 'revoked')),
  -- SubjectPublicKeyInfo of the key made on the connector's host.
  public_key bytea,
  version text check (length(version) <= 50),
  highest_fence bigint not null default 0 check (highest_fence >= 0),
  row_version int not null default 1,
  created_at timestamptz not null default now(),
  last_seen_at timestamptz,
  primary key (tenant_id, id),
  check (state <> 'pending' or public_key is null),
  check (state <> 'active' or public_key is not null)
);
create unique index on connectors.connector (tenant_id, name) where state <> 'revoked';
create index on connectors.connector (tenant_id, site_id);
call platform.tenant_table('connectors.connector', 'select, insert, update', 'select, update');
create trigger frozen before update on connectors.connector for each row
  execute function platform.frozen('tenant_id', 'id', 'site_id', 'created_at');

create function connectors.keep_key() returns trigger language plpgsql as $$
begin
  if old.public_key is not null and new.public_key is distinct from old.public_key then
    raise exception 'the key of a connector is bound once' using errcode = 'restrict_violation';
  end if;
  if old.state = 'revoked' and new.state <> 'revoked' then
    raise exception 'a revoked connector stays revoked' using errcode = 'restrict_violation';
  end if;
  return new;
end $$;
create trigger keep_key before update on connectors.connector for each row execute function connectors.keep_key();

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
call platform.tenant_table('connectors.join_token', 'select, insert, update', 'select, delete');

create table connectors.connector_session (
  tenant_id uuid not null,
  id uuid not null,
  connector_id uuid not null,
  replica text not null,
  state text not null default 'attached' check (state in ('attached', 'closed')),
  attached_at timestamptz not null default now(),
  seen_at timestamptz not null default now(),
  primary key (tenant_id, id),
  foreign key (tenant_id, connector_id) references connectors.connector
);
create index on connectors.connector_session (id);
create index on connectors.connector_session (tenant_id, connector_id) where state = 'attached';
create index on connectors.connector_session (seen_at);
call platform.tenant_table('connectors.connector_session', 'select, insert, update', 'select, update, delete');
