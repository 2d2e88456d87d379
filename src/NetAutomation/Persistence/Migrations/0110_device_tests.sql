-- Tests of many devices: a row for each call, and one for each of its devices.
create schema execution;
grant usage on schema execution to na_app, na_system;

create table execution.device_test (
  tenant_id uuid not null,
  id uuid not null,
  targets jsonb not null,
  created_by uuid not null,
  member text not null,
  endpoint_id text,
  created_at timestamptz not null default now(),
  -- What is not tested by then ends without a test.
  ends_by timestamptz not null,
  -- Until then a worker is at some of its devices.
  lease uuid,
  lease_until timestamptz not null default '-infinity',
  -- Between tests that wait, the one served longest ago comes first.
  served_at timestamptz not null default '-infinity',
  finished_at timestamptz,
  primary key (tenant_id, id)
);
create index device_test_open on execution.device_test (tenant_id, served_at) where finished_at is null;
create index device_test_finished on execution.device_test (finished_at) where finished_at is not null;
call web.tenant_table('execution.device_test', 'select, insert, update', 'select, update, delete');

create table execution.device_test_result (
  tenant_id uuid not null,
  test_id uuid not null,
  device_id uuid not null,
  name text not null,
  finished_at timestamptz,
  reachable boolean not null default false,
  stage text check (stage in ('connector', 'allow_list', 'tcp', 'ssh', 'auth')),
  code text,
  rtt_ms int,
  host_key_sha256 text,
  message text,
  primary key (tenant_id, test_id, device_id),
  check (not reachable or (finished_at is not null and code is null)),
  -- No key to the device: it may be deleted meanwhile.
  foreign key (tenant_id, test_id) references execution.device_test (tenant_id, id) on delete cascade
);
create index device_test_left on execution.device_test_result (tenant_id, test_id, device_id) where finished_at is null;
call web.tenant_table('execution.device_test_result', 'select, insert, update', 'select, update');
