-- Which start of a connector's state directory attached last. Two that are alive at once are two copies of it: the connector is locked.
alter table connectors.connector
  add column generation bigint not null default 0 check (generation >= 0),
  add column instance text check (length(instance) between 1 and 100),
  add column instance_address text check (length(instance_address) <= 100),
  add column instance_since timestamptz,
  drop constraint connector_state_check,
  add constraint connector_state_check check (state in ('pending', 'active', 'cloned', 'revoked'));
alter table connectors.connector_session add column generation bigint not null default 0;

create or replace function connectors.keep_key() returns trigger language plpgsql as $$
begin
  if old.public_key is not null and new.public_key is distinct from old.public_key then
    raise exception 'the key of a connector is bound once' using errcode = 'restrict_violation';
  end if;
  if old.state = 'revoked' and new.state <> 'revoked' then
    raise exception 'a revoked connector stays revoked' using errcode = 'restrict_violation';
  end if;
  if old.state = 'cloned' and new.state not in ('cloned', 'revoked') then
    raise exception 'a connector whose key was copied can only be revoked' using errcode = 'restrict_violation';
  end if;
  return new;
end $$;

-- The row of a revoked connector is history and keeps no site.
alter table connectors.connector
  drop constraint connector_tenant_id_site_id_fkey,
  add column serves_site_id uuid generated always as (case when state <> 'revoked' then site_id end) stored;
alter table connectors.connector add foreign key (tenant_id, serves_site_id) references inventory.site (tenant_id, id);
