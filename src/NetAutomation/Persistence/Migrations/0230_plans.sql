-- Changes that are checked first and applied as they were checked, and the rules that ask for them.
create table runs.plan (
  tenant_id uuid not null,
  id uuid not null,
  -- It is expired by its time.
  state text not null default 'planning' check (state in ('planning', 'ready', 'approved', 'used', 'failed', 'refused', 'drifted')),
  version int not null default 1,
  -- Of the apply: plan and prices, and what else its run is started with.
  quote_id uuid not null,
  request jsonb not null,
  allow_failed boolean not null,
  created_by uuid not null,
  created_at timestamptz not null default now(),
  expires_at timestamptz not null,
  decided_by uuid,
  decided_at timestamptz,
  reason text,
  primary key (tenant_id, id),
  unique (tenant_id, quote_id),
  check (state not in ('approved', 'refused') or decided_by is not null),
  check ((decided_by is null) = (decided_at is null)),
  constraint plan_of_another check (decided_by <> created_by),
  foreign key (tenant_id, quote_id) references runs.quote (tenant_id, id)
);
call web.tenant_table('runs.plan', 'select, insert, update (state, version, decided_by, decided_at, reason)', 'select');

-- Its check and its apply, at most one of each.
alter table runs.run add plan_id uuid, add foreign key (tenant_id, plan_id) references runs.plan (tenant_id, id);
create unique index run_plan on runs.run (tenant_id, plan_id, mode) where plan_id is not null;

create table runs.change_policy (
  tenant_id uuid primary key,
  rules jsonb not null check (jsonb_typeof(rules) = 'array'),
  version int not null
);
call web.tenant_table('runs.change_policy', 'select, insert, update', 'select');
