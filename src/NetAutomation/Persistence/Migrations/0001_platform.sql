-- Roles, the rules every table follows, and what belongs to no module.
do $$
begin
  if not exists (select from pg_roles where rolname = 'na_app') then create role na_app login nobypassrls; end if;
  if not exists (select from pg_roles where rolname = 'na_system') then create role na_system login nobypassrls; end if;
end $$;

create extension if not exists btree_gist;
grant usage on schema platform to na_app, na_system;
grant select on platform.schema_migration to na_app, na_system;

-- Holds a table to one tenant per transaction, for its owner too. The sub-select is evaluated once, so indexes still serve.
create procedure platform.tenant_table(target regclass, app text, system text) language plpgsql as $$
begin
  execute format('alter table %s enable row level security', target);
  execute format('alter table %s force row level security', target);
  execute format($p$create policy tenant on %s to na_app
    using (tenant_id = (select nullif(current_setting('app.tenant', true), '')::uuid))
    with check (tenant_id = (select nullif(current_setting('app.tenant', true), '')::uuid))$p$, target);
  execute format('create policy system on %s to na_system using (true) with check (true)', target);
  if app <> '' then execute format('grant %s on %s to na_app', app, target); end if;
  if system <> '' then execute format('grant %s on %s to na_system', system, target); end if;
end $$;

create function platform.refuse_change() returns trigger language plpgsql as $$
begin
  raise exception 'table %.% is append-only', tg_table_schema, tg_table_name using errcode = 'restrict_violation';
end $$;

create procedure platform.append_only(target regclass) language plpgsql as $$
begin
  execute format('create trigger append_only before update or delete on %s for each row execute function platform.refuse_change()', target);
  execute format('create trigger append_only_truncate before truncate on %s for each statement execute function platform.refuse_change()', target);
end $$;

-- Columns that never change once written.
create function platform.frozen() returns trigger language plpgsql as $$
declare c text;
begin
  foreach c in array tg_argv loop
    if to_jsonb(new) -> c is distinct from to_jsonb(old) -> c then
      raise exception 'column % of %.% is immutable', c, tg_table_schema, tg_table_name using errcode = 'restrict_violation';
    end if;
  end loop;
  return new;
end $$;

create table platform.idempotency_key (
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
create index on platform.idempotency_key (created_at);
call platform.tenant_table('platform.idempotency_key', 'select, insert', 'select, delete');

create table platform.audit_event (
  tenant_id uuid not null,
  id uuid not null,
  at timestamptz not null default now(),
  principal text not null,
  member text not null,
  endpoint_id text,
  action text not null,
  subject text not null,
  data jsonb not null,
  primary key (tenant_id, id)
);
call platform.tenant_table('platform.audit_event', 'select, insert', 'select, insert');
call platform.append_only('platform.audit_event');

-- How far each reader of a tenant's feed has come.
create table platform.feed_cursor (
  tenant_id uuid not null,
  principal uuid not null,
  position uuid,
  read_at timestamptz not null default now(),
  primary key (tenant_id, principal)
);
call platform.tenant_table('platform.feed_cursor', 'select, insert, update', 'select, delete');
