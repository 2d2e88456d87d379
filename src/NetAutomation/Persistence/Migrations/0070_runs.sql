-- The promise: a run, its states, its devices, its events.
create schema runs;
grant usage on schema runs to na_app, na_system;

create table runs.run_state (
  state text primary key,
  terminal boolean not null,
  unique (state, terminal)
);
insert into runs.run_state values
  ('none', false), ('queued', false), ('claimed', false), ('running', false), ('cancelling', false), ('unknown', false),
  ('succeeded', true), ('failed', true), ('cancelled', true), ('expired', true), ('resolved', true);

create table runs.legal_transition (
  from_state text not null references runs.run_state,
  to_state text not null references runs.run_state,
  primary key (from_state, to_state)
);
insert into runs.legal_transition values
  ('none', 'queued'),
  ('queued', 'claimed'), ('queued', 'cancelled'), ('queued', 'expired'),
  ('claimed', 'queued'), ('claimed', 'running'), ('claimed', 'cancelled'),
  ('running', 'succeeded'), ('running', 'failed'), ('running', 'cancelling'), ('running', 'unknown'),
  ('cancelling', 'cancelled'), ('cancelling', 'succeeded'), ('cancelling', 'failed'), ('cancelling', 'unknown'),
  ('unknown', 'resolved'), ('unknown', 'queued');
grant select on runs.run_state, runs.legal_transition to na_app, na_system;

create table runs.quote (
  tenant_id uuid not null,
  id uuid not null,
  block text not null,
  version text not null,
  digest text not null,
  effect text not null,
  mode text not null check (mode in ('check', 'apply')),
  targets jsonb not null,
  device_ids uuid[] not null check (cardinality(device_ids) between 1 and 10000),
  input jsonb not null,
  input_hash text not null,
  entitlement_id uuid not null,
  lines jsonb not null,
  ceiling_micros bigint not null check (ceiling_micros >= 0),
  plan_digest text not null,
  timeout_seconds int not null,
  created_at timestamptz not null default now(),
  expires_at timestamptz not null,
  primary key (tenant_id, id),
  foreign key (tenant_id, entitlement_id) references purchasing.entitlement (tenant_id, id)
);
call platform.tenant_table('runs.quote', 'select, insert', 'select, delete');

-- The generated columns make the ledger a precondition of the state: a run has its three reservations, and a finished run its
-- three settlements, or the transaction does not commit.
create table runs.run (
  tenant_id uuid not null,
  id uuid not null,
  state text not null,
  terminal boolean not null,
  transition int not null,
  attempt int not null default 0,
  fence bigint not null default 0,
  worker text,
  lease_until timestamptz,
  quote_id uuid not null,
  block text not null,
  version text not null,
  digest text not null,
  effect text not null check (effect in ('read', 'idempotent', 'transactional', 'unsafe')),
  mode text not null check (mode in ('check', 'apply')),
  targets jsonb not null,
  input jsonb not null,
  input_hash text not null,
  labels jsonb not null default '{}',
  rollout jsonb,
  priority int not null default 0,
  start_by timestamptz,
  timeout_seconds int not null check (timeout_seconds between 10 and 86400),
  ceiling_micros bigint not null,
  charged_micros bigint,
  failure_code text,
  failure_detail text,
  relaunch_of uuid,
  schedule_id uuid,
  occurrence text,
  created_by uuid not null,
  created_at timestamptz not null default now(),
  created_day date not null default (now() at time zone 'UTC')::date,
  started_at timestamptz,
  finished_at timestamptz,
  cancel_requested_at timestamptz,
  last_seq bigint not null default 0,
  final_seq bigint,
  reserved_run text generated always as ('run') stored,
  reserved_device text generated always as ('device') stored,
  reserved_minute text generated always as ('minute') stored,
  settled_run text generated always as (case when terminal then 'run' end) stored,
  settled_device text generated always as (case when terminal then 'device' end) stored,
  settled_minute text generated always as (case when terminal then 'minute' end) stored,
  primary key (tenant_id, id),
  unique (tenant_id, quote_id),
  unique (tenant_id, id, created_day),
  check (terminal = (finished_at is not null)),
  check (terminal = (charged_micros is not null)),
  check (terminal = (final_seq is not null)),
  check (charged_micros <= ceiling_micros),
  foreign key (state, terminal) references runs.run_state (state, terminal),
  foreign key (tenant_id, quote_id) references runs.quote (tenant_id, id),
  foreign key (tenant_id, relaunch_of) references runs.run (tenant_id, id),
  foreign key (tenant_id, id, reserved_run) references billing.reservation (tenant_id, run_id, component) deferrable initially deferred,
  foreign key (tenant_id, id, reserved_device) references billing.reservation (tenant_id, run_id, component) deferrable initially deferred,
  foreign key (tenant_id, id, reserved_minute) references billing.reservation (tenant_id, run_id, component) deferrable initially deferred,
  foreign key (tenant_id, id, settled_run) references billing.settlement (tenant_id, run_id, component) deferrable initially deferred,
  foreign key (tenant_id, id, settled_device) references billing.settlement (tenant_id, run_id, component) deferrable initially deferred,
  foreign key (tenant_id, id, settled_minute) references billing.settlement (tenant_id, run_id, component) deferrable initially deferred
);
create index run_queue on runs.run (priority desc, created_at) where state = 'queued';
create index run_lease on runs.run (lease_until) where state in ('claimed', 'running', 'cancelling');
call platform.tenant_table('runs.run', 'select, insert, update', 'select, update');
alter table billing.reservation add foreign key (tenant_id, run_id) references runs.run (tenant_id, id) deferrable initially deferred;

create table runs.run_transition (
  tenant_id uuid not null,
  run_id uuid not null,
  seq int not null check (seq >= 1),
  previous int generated always as (nullif(seq - 1, 0)) stored,
  from_state text not null,
  to_state text not null,
  at timestamptz not null default now(),
  fence bigint not null,
  by text not null,
  reason text,
  primary key (tenant_id, run_id, seq),
  unique (tenant_id, run_id, seq, to_state),
  check ((seq = 1) = (from_state = 'none')),
  foreign key (from_state, to_state) references runs.legal_transition,
  foreign key (tenant_id, run_id) references runs.run (tenant_id, id) deferrable initially deferred,
  foreign key (tenant_id, run_id, previous, from_state) references runs.run_transition (tenant_id, run_id, seq, to_state)
);
call platform.tenant_table('runs.run_transition', 'select, insert', 'select, insert');
call platform.append_only('runs.run_transition');
alter table runs.run add foreign key (tenant_id, id, transition, state) references runs.run_transition (tenant_id, run_id, seq, to_state)
  deferrable initially deferred;

create table runs.run_device (
  tenant_id uuid not null,
  run_id uuid not null,
  device_id uuid not null,
  position int not null,
  name text not null,
  site_id uuid not null,
  phase text not null default 'waiting' check (phase in ('waiting', 'connecting', 'running', 'done')),
  outcome text check (outcome in ('ok', 'changed', 'failed', 'unreachable', 'not_started', 'unknown')),
  changed boolean,
  contacted boolean not null default false,
  code text,
  message text,
  result jsonb,
  diff text,
  before_hash text,
  after_hash text,
  started_at timestamptz,
  finished_at timestamptz,
  primary key (tenant_id, run_id, device_id),
  unique (tenant_id, run_id, position),
  check ((phase = 'done') = (outcome is not null)),
  -- No key to the device: history outlives it.
  foreign key (tenant_id, run_id) references runs.run (tenant_id, id)
);
create index on runs.run_device (tenant_id, device_id);
call platform.tenant_table('runs.run_device', 'select, insert, update', 'select, update');
alter table billing.usage_event add foreign key (tenant_id, run_id) references runs.run (tenant_id, id);
alter table billing.receipt add foreign key (tenant_id, run_id, device_id) references runs.run_device (tenant_id, run_id, device_id);

create table runs.attempt (
  tenant_id uuid not null,
  run_id uuid not null,
  attempt int not null check (attempt >= 1),
  fence bigint not null,
  worker text not null,
  claimed_at timestamptz not null default now(),
  ended_at timestamptz,
  ending text,
  primary key (tenant_id, run_id, attempt),
  unique (tenant_id, fence),
  foreign key (tenant_id, run_id) references runs.run (tenant_id, id)
);
call platform.tenant_table('runs.attempt', 'select, update', 'select, insert, update');

-- One counter per tenant, so a fence only ever grows on every device. The guard refuses to lower it.
create table runs.fence_counter (
  tenant_id uuid primary key,
  value bigint not null
);
create function runs.fence_guard() returns trigger language plpgsql as $$
begin
  if new.value <= old.value then raise exception 'a fence only grows' using errcode = 'restrict_violation'; end if;
  return new;
end $$;
create trigger guard before update on runs.fence_counter for each row execute function runs.fence_guard();
call platform.tenant_table('runs.fence_counter', 'select', 'select, insert, update');

-- Readers share a device; a writer has it alone.
create table runs.device_hold (
  tenant_id uuid not null,
  device_id uuid not null,
  run_id uuid not null,
  exclusive smallint not null check (exclusive in (0, 1)),
  fence bigint not null,
  taken_at timestamptz not null default now(),
  primary key (tenant_id, device_id, run_id),
  exclude using gist (tenant_id with =, device_id with =, exclusive with <>),
  foreign key (tenant_id, device_id) references inventory.device (tenant_id, id),
  foreign key (tenant_id, run_id) references runs.run (tenant_id, id)
);
create unique index device_hold_one_writer on runs.device_hold (tenant_id, device_id) where exclusive = 1;
call platform.tenant_table('runs.device_hold', 'select, delete', 'select, insert, delete');

create table runs.tenant_quota (
  tenant_id uuid primary key,
  running int not null default 0,
  max_running int not null default 20,
  weight int not null default 1 check (weight >= 1),
  check (running between 0 and max_running)
);
call platform.tenant_table('runs.tenant_quota', 'select, insert, update (running)', 'select, insert, update');

create table runs.artifact (
  tenant_id uuid not null,
  run_id uuid not null,
  device_id uuid not null,
  name text not null check (name ~ '^[A-Za-z0-9][A-Za-z0-9._-]{0,99}$'),
  media_type text not null,
  size bigint not null,
  sha256 bytea not null,
  content bytea not null,
  primary key (tenant_id, run_id, device_id, name),
  foreign key (tenant_id, run_id, device_id) references runs.run_device (tenant_id, run_id, device_id)
);
call platform.tenant_table('runs.artifact', 'select, insert', 'select, delete');

-- Partitioned by the day the run was created, so retention drops whole tables. Nobody but the owner is granted a partition: read
-- directly it would bypass the policy.
create table runs.run_event (
  tenant_id uuid not null,
  run_id uuid not null,
  run_day date not null,
  seq bigint not null check (seq >= 1),
  time timestamptz not null default now(),
  type text not null check (type in ('state', 'device_started', 'task', 'output', 'device_outcome', 'output_complete')),
  attempt int not null,
  device_id uuid,
  data jsonb not null,
  primary key (tenant_id, run_id, run_day, seq),
  foreign key (tenant_id, run_id, run_day) references runs.run (tenant_id, id, created_day)
) partition by range (run_day);
call platform.tenant_table('runs.run_event', 'select, insert', 'select');

create function runs.make_partitions(days int) returns void language plpgsql security definer set search_path = pg_catalog as $$
declare d date;
begin
  for d in select (now() at time zone 'UTC')::date + g from generate_series(-1, least(days, 30)) g loop
    execute format('create table if not exists runs.%I partition of runs.run_event for values from (%L) to (%L)',
                   'run_event_' || to_char(d, 'YYYYMMDD'), d, d + 1);
  end loop;
end $$;
revoke all on function runs.make_partitions(int) from public;
grant execute on function runs.make_partitions(int) to na_system;
select runs.make_partitions(7);

-- The one way a run changes state: checks where it stands and whose fence is asked for, writes the transition and its event, and on an
-- ending releases what the run held. Null: it stood elsewhere, or the fence has moved on.
create function runs.move(
  p_tenant uuid, p_run uuid, p_fence bigint, p_from text[], p_to text, p_by text, p_reason text default null,
  p_charged bigint default null, p_failure_code text default null, p_failure_detail text default null) returns bigint language plpgsql as $$
declare r runs.run; ends boolean; steps int;
begin
  select * into r from runs.run where tenant_id = p_tenant and id = p_run for update;
  if not found or not r.state = any (p_from) or (p_fence is not null and r.fence <> p_fence) then return null; end if;
  select terminal into ends from runs.run_state where state = p_to;
  steps := case when ends then 2 else 1 end;
  insert into runs.run_transition (tenant_id, run_id, seq, from_state, to_state, fence, by, reason)
    values (p_tenant, p_run, r.transition + 1, r.state, p_to, r.fence, p_by, p_reason);
  update runs.run set state = p_to, terminal = ends, transition = r.transition + 1, last_seq = r.last_seq + steps,
    started_at = case when p_to = 'running' then coalesce(started_at, now()) else started_at end,
    cancel_requested_at = case when p_to = 'cancelling' then now() else cancel_requested_at end,
    finished_at = case when ends then now() end, final_seq = case when ends then r.last_seq + steps end, charged_micros = p_charged,
    failure_code = p_failure_code, failure_detail = p_failure_detail
    where tenant_id = p_tenant and id = p_run;
  insert into runs.run_event (tenant_id, run_id, run_day, seq, type, attempt, data)
    values (p_tenant, p_run, r.created_day, r.last_seq + 1, 'state', r.attempt,
            jsonb_strip_nulls(jsonb_build_object('state', p_to, 'from', r.state, 'reason', p_reason)));
  if ends then
    insert into runs.run_event (tenant_id, run_id, run_day, seq, type, attempt, data)
      values (p_tenant, p_run, r.created_day, r.last_seq + 2, 'output_complete', r.attempt, jsonb_build_object('finalSeq', r.last_seq + 2));
    delete from runs.device_hold where tenant_id = p_tenant and run_id = p_run;
  end if;
  if r.state in ('claimed', 'running', 'cancelling') and (ends or p_to in ('queued', 'unknown')) then
    update runs.tenant_quota set running = running - 1 where tenant_id = p_tenant;
    update runs.attempt set ended_at = now(), ending = p_to where tenant_id = p_tenant and run_id = p_run and attempt = r.attempt;
  end if;
  return r.last_seq + steps;
end $$;

grant insert on runs.run_event to na_system;
grant usage on schema connectors to na_system;
