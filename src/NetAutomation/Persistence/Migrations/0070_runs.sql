-- Runs, their states, devices and events.
create schema runs;

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
  ('unknown', 'resolved'), ('unknown', 'queued'),
  -- A second attempt that is given up before it has looked at what the first one left.
  ('queued', 'unknown'), ('claimed', 'unknown');
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
  -- The version that is pinned of each platform among the devices, {name: digest}, and one digest over them; the engine that planned.
  platforms jsonb not null default '{}',
  platform_digest text,
  engine_version text,
  timeout_seconds int not null,
  created_at timestamptz not null default now(),
  expires_at timestamptz not null,
  primary key (tenant_id, id),
  foreign key (tenant_id, entitlement_id) references purchasing.entitlement (tenant_id, id)
);
call web.tenant_table('runs.quote', 'select, insert', 'select, delete');

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
  -- As the quote pinned them.
  platforms jsonb not null default '{}',
  platform_digest text,
  -- Of the worker that took the run last.
  engine_version text,
  effect text not null check (effect in ('read', 'idempotent', 'transactional', 'unsafe')),
  mode text not null check (mode in ('check', 'apply')),
  -- Who writes has its devices alone.
  writes boolean not null generated always as (effect <> 'read' and mode = 'apply') stored,
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
  -- What the holder of a fence has written so far. A batch names where it begins, so one that is repeated because nobody knows whether
  -- it was committed is written once.
  written_fence bigint not null default 0,
  written bigint not null default 0,
  -- What a person found out of a run that was unknown.
  resolution jsonb,
  -- Where it was queued: what happens to it later, in whatever process, goes on with this trace.
  trace_parent text check (trace_parent ~ '^00-[0-9a-f]{32}-[0-9a-f]{16}-[0-9a-f]{2}$'),
  trace_id text generated always as (substr(trace_parent, 4, 32)) stored,
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
  check (state <> 'resolved' or resolution is not null),
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
create index run_lease on runs.run (lease_until) where state in ('claimed', 'running', 'cancelling');
create index run_overdue on runs.run (start_by) where state = 'queued' and attempt = 0 and start_by is not null;
create index run_open on runs.run (created_day) where not terminal;
create index run_open_of_tenant on runs.run (tenant_id) where not terminal;
-- An occurrence starts one run, even where its own row is lost. No key to the schedule: history outlives it.
create unique index run_occurrence on runs.run (tenant_id, schedule_id, occurrence) where schedule_id is not null;
call web.tenant_table('runs.run', 'select, insert, update', 'select, update');

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
  -- Orders the feed, as audit_event's does.
  xid xid8 not null default pg_current_xact_id(),
  primary key (tenant_id, run_id, seq),
  unique (tenant_id, run_id, seq, to_state),
  check ((seq = 1) = (from_state = 'none')),
  foreign key (from_state, to_state) references runs.legal_transition,
  foreign key (tenant_id, run_id) references runs.run (tenant_id, id) deferrable initially deferred,
  foreign key (tenant_id, run_id, previous, from_state) references runs.run_transition (tenant_id, run_id, seq, to_state)
);
create index on runs.run_transition (tenant_id, xid, run_id, seq);
call web.tenant_table('runs.run_transition', 'select, insert', 'select, insert');
call web.append_only('runs.run_transition');
alter table runs.run add foreign key (tenant_id, id, transition, state) references runs.run_transition (tenant_id, run_id, seq, to_state)
  deferrable initially deferred;

create table runs.run_device (
  tenant_id uuid not null,
  run_id uuid not null,
  device_id uuid not null,
  position int not null,
  name text not null,
  platform text,
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
  -- Left by a lost attempt: to be looked at before it is configured again.
  verify boolean not null default false,
  started_at timestamptz,
  finished_at timestamptz,
  primary key (tenant_id, run_id, device_id),
  unique (tenant_id, run_id, position),
  check ((phase = 'done') = (outcome is not null)),
  -- No key to the device: history outlives it.
  foreign key (tenant_id, run_id) references runs.run (tenant_id, id)
);
create index on runs.run_device (tenant_id, device_id);
call web.tenant_table('runs.run_device', 'select, insert, update', 'select, update');

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
call web.tenant_table('runs.attempt', 'select, update', 'select, insert, update');

-- One counter per tenant, so a fence only ever grows on every device. The guard refuses to lower it.
create table runs.fence_counter (
  tenant_id uuid primary key,
  value bigint not null
);
call web.tenant_table('runs.fence_counter', 'select', 'select, insert, update');

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
call web.tenant_table('runs.device_hold', 'select, delete', 'select, insert, delete');

create table runs.tenant_quota (
  tenant_id uuid primary key,
  running int not null default 0,
  max_running int not null default 20,
  weight int not null default 1 check (weight >= 1),
  -- Between tenants that have equally many running, the one served longest ago comes first.
  served_at timestamptz not null default '-infinity',
  check (running between 0 and max_running)
);
call web.tenant_table('runs.tenant_quota', 'select, insert, update (running)', 'select, insert, update');

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
call web.tenant_table('runs.artifact', 'select, insert', 'select, delete');

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
call web.tenant_table('runs.run_event', 'select, insert', 'select, insert');

\ir ../Functions/runs.make_partitions.sql
select runs.make_partitions(7);

-- The queue as rows of its own: one per queued run, kept by triggers on the run's state. A claim reads ready ones in order. One that it
-- finds waiting is put aside under what it waits for, and what ends the waiting makes it ready again, so a claim costs the same however
-- many wait. Putting aside and making ready both lock the tenant's quota row first: neither can miss the other.
create table runs.queue (
  tenant_id uuid not null,
  run_id uuid not null,
  priority int not null,
  created_at timestamptz not null,
  exclusive boolean not null,
  ready boolean not null default true,
  waits_for text check (waits_for in ('connector', 'device', 'window', 'expiry')),
  -- The site or the device.
  waits_on uuid,
  -- When a window may open; and now and then in any case, should a wake-up ever be missed.
  look_at timestamptz,
  primary key (tenant_id, run_id),
  check (ready or waits_for is not null),
  foreign key (tenant_id, run_id) references runs.run (tenant_id, id)
) with (fillfactor = 70, autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 1000);
create index queue_ready on runs.queue (tenant_id, priority desc, created_at, run_id) where ready;
create index queue_waiting on runs.queue (tenant_id, waits_on, exclusive, priority desc, created_at, run_id) where waits_on is not null;
create index queue_windows on runs.queue (tenant_id) where waits_for = 'window' and not ready;
-- An order that has nothing to do with age: where many tenants have ready runs, a claim compares those next to a random place in it.
create index queue_lots on runs.queue (uuid_hash(tenant_id), tenant_id) where ready;
create index queue_look on runs.queue (look_at) where look_at is not null;
call web.tenant_table('runs.queue', 'select, insert, update, delete', 'select, insert, update, delete');

-- Devices that a writer waits for and that only readers hold. Readers queued after it do not get past it on any of them, so a stream of
-- readers ends; a writer that waits for anything else bars nobody.
create table runs.waiting_writer (
  tenant_id uuid not null,
  device_id uuid not null,
  run_id uuid not null,
  queued_at timestamptz not null,
  primary key (tenant_id, device_id, run_id),
  foreign key (tenant_id, run_id) references runs.run (tenant_id, id)
);
create index on runs.waiting_writer (tenant_id, run_id);
create index on runs.waiting_writer (tenant_id, device_id, queued_at);
call web.tenant_table('runs.waiting_writer', 'select, insert, delete', 'select, insert, delete');

create table runs.maintenance_window (
  tenant_id uuid not null references onboarding.tenant (tenant_id),
  id uuid not null,
  name text not null check (length(name) between 1 and 128),
  kind text not null check (kind in ('allow', 'deny')),
  cron text,
  rrule text,
  anchor timestamp not null,
  time_zone text not null,
  minutes int not null check (minutes between 1 and 10080),
  selector text,
  version int not null default 1,
  created_at timestamptz not null default now(),
  known_until timestamptz not null default '-infinity',
  refreshed_at timestamptz not null default '-infinity',
  primary key (tenant_id, id),
  constraint window_name unique (tenant_id, name),
  check (num_nonnulls(cron, rrule) = 1)
);
call web.tenant_table('runs.maintenance_window', 'select, insert, update, delete', 'select');

-- A window's intervals some days ahead, and the devices its selector selects: what a claim can see.
create table runs.window_interval (
  tenant_id uuid not null,
  window_id uuid not null,
  starts_at timestamptz not null,
  ends_at timestamptz not null check (ends_at > starts_at),
  primary key (tenant_id, window_id, starts_at),
  foreign key (tenant_id, window_id) references runs.maintenance_window (tenant_id, id) on delete cascade
);
call web.tenant_table('runs.window_interval', 'select, insert, delete', 'select');
create table runs.window_device (
  tenant_id uuid not null,
  window_id uuid not null,
  device_id uuid not null,
  primary key (tenant_id, window_id, device_id),
  foreign key (tenant_id, window_id) references runs.maintenance_window (tenant_id, id) on delete cascade
);
call web.tenant_table('runs.window_device', 'select, insert, delete', 'select');
