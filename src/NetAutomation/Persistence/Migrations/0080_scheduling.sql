-- Schedules and their occurrences.
create schema scheduling;

create table scheduling.schedule (
  tenant_id uuid not null references onboarding.tenant (tenant_id),
  id uuid not null,
  name text not null check (length(name) between 1 and 128),
  cron text,
  rrule text,
  anchor timestamp not null,
  time_zone text not null,
  run jsonb not null,
  misfire text not null check (misfire in ('skip', 'once')),
  overlap text not null check (overlap in ('skip', 'queue')),
  enabled boolean not null,
  next_at timestamptz,
  created_by uuid not null,
  member text not null,
  version int not null default 1,
  created_at timestamptz not null default now(),
  primary key (tenant_id, id),
  constraint schedule_name unique (tenant_id, name),
  check (num_nonnulls(cron, rrule) = 1)
);
create index schedule_due on scheduling.schedule (next_at) where enabled;
call web.tenant_table('scheduling.schedule', 'select, insert, update, delete', 'select, update (enabled, version)');

-- The primary key lets an occurrence happen once, no matter how many processes find it due and how often.
create table scheduling.occurrence (
  tenant_id uuid not null,
  schedule_id uuid not null,
  at timestamptz not null,
  state text not null check (state in ('due', 'started', 'skipped', 'refused')),
  code text,
  detail text,
  run_id uuid,
  -- Of a blocked occurrence: when its run may start; of one that started none: the next occurrence.
  eligible_at timestamptz,
  found_at timestamptz not null default now(),
  primary key (tenant_id, schedule_id, at),
  check ((state = 'started') = (run_id is not null)),
  foreign key (tenant_id, schedule_id) references scheduling.schedule (tenant_id, id) on delete cascade,
  foreign key (tenant_id, run_id) references runs.run (tenant_id, id) deferrable initially deferred
);
create index occurrence_due on scheduling.occurrence (at) where state = 'due';
create index occurrence_found on scheduling.occurrence (found_at);
call web.tenant_table('scheduling.occurrence', 'select, insert, update, delete', 'select, delete');
