-- How much of each kind a tenant may have. A row is at once the operator's word (max), the count where there is a counter (used), and the
-- lock that lets one transaction at a time take the last place.
create table web.limit_default (
  name text primary key,
  max bigint not null check (max >= 0)
);
grant select on web.limit_default to na_app, na_system;

create table web.tenant_limit (
  tenant_id uuid not null,
  name text not null,
  -- Null: the default.
  max bigint check (max >= 0),
  -- Of what can be deleted: the rows there are now. Of queued runs: those that ever entered the queue; runs.tenant_quota has those that
  -- left.
  used bigint not null default 0 check (used >= 0),
  primary key (tenant_id, name)
);

-- The queue is left under the lock of the tenant's quota, and entered without it. The month is UTC.
alter table runs.tenant_quota
  add left_queue bigint not null default 0,
  add month date not null default '-infinity',
  add event_rows bigint not null default 0,
  add artifact_bytes bigint not null default 0;
grant update (left_queue, month, event_rows, artifact_bytes) on runs.tenant_quota to na_app;

-- What is there already. Row-level security holds for the owner, too.
do $$
declare t text;
begin
  foreach t in array array['inventory.device', 'inventory.site', 'inventory.credential', 'runs.maintenance_window', 'scheduling.schedule',
                           'runs.queue'] loop
    execute format('alter table %s no force row level security', t);
    execute format('insert into web.tenant_limit (tenant_id, name, used) select tenant_id, %L, count(*) from %s group by 1',
      case t when 'runs.maintenance_window' then 'windows' when 'runs.queue' then 'queued_runs' else split_part(t, '.', 2) || 's' end, t);
    execute format('alter table %s force row level security', t);
  end loop;
end $$;
call web.tenant_table('web.tenant_limit', 'select, insert (tenant_id, name, used), update (used)', 'select, insert, update');
