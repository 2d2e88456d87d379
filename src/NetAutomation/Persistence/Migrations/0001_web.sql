-- Roles, the rules every table follows, and what belongs to no module.
do $$
begin
  if not exists (select from pg_roles where rolname = 'na_app') then create role na_app login nobypassrls; end if;
  if not exists (select from pg_roles where rolname = 'na_system') then create role na_system login nobypassrls; end if;
end $$;
-- A process that is frozen in the middle of a transaction keeps its rows locked, and a run whose row is locked is not rescued.
alter role na_app set idle_in_transaction_session_timeout = '30s';
alter role na_system set idle_in_transaction_session_timeout = '60s';

create extension if not exists btree_gist;
grant select on web.schema_migration to na_app, na_system;

\ir ../Functions/web.tenant_table.sql
\ir ../Functions/web.append_only.sql
\ir ../Functions/web.refuse_change.sql
\ir ../Functions/web.frozen.sql

create table web.idempotency_key (
  tenant_id uuid not null,
  principal uuid not null,
  key text not null check (length(key) between 16 and 255),
  fingerprint bytea not null,
  status int not null,
  content_type text,
  location text,
  etag text,
  body bytea not null,
  secret boolean not null,
  created_at timestamptz not null default now(),
  primary key (tenant_id, principal, key)
);
create index on web.idempotency_key (created_at);
call web.tenant_table('web.idempotency_key', 'select, insert', 'select, delete');

create table web.audit_event (
  tenant_id uuid not null,
  id uuid not null,
  at timestamptz not null default now(),
  principal text not null,
  member text not null,
  endpoint_id text,
  action text not null,
  subject text not null,
  data jsonb not null,
  -- Orders the feed: numbers given out before a commit would let a reader pass a row that is committed after it.
  xid xid8 not null default pg_current_xact_id(),
  primary key (tenant_id, id)
);
create index on web.audit_event (tenant_id, xid, id);
call web.tenant_table('web.audit_event', 'select, insert', 'select, insert');
call web.append_only('web.audit_event');
