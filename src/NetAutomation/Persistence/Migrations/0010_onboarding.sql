-- Who may call: tenants, their AWS accounts and agreements, endpoint connections and what was decided about them, keys.
create schema onboarding;
grant usage on schema onboarding to na_app, na_system;

create table onboarding.tenant (
  tenant_id uuid primary key,
  name text not null check (length(name) between 1 and 200),
  state text not null check (state in ('pending', 'active', 'suspended', 'ended')),
  -- An ended tenant still reads for a while, to take its data along.
  reads_until timestamptz,
  created_at timestamptz not null default now(),
  changed_at timestamptz not null default now(),
  check ((state = 'ended') = (reads_until is not null))
);
call platform.tenant_table('onboarding.tenant', 'select', 'select, insert, update');

-- AWS accounts from which the tenant may open endpoints; the buyer's account is only the first.
create table onboarding.tenant_account (
  tenant_id uuid not null references onboarding.tenant (tenant_id),
  account text not null check (account ~ '^[0-9]{12}$'),
  proven_by text not null check (proven_by in ('marketplace', 'operator')),
  active boolean not null default true,
  -- Since when EC2 lets the account see the endpoint service; before that its customer is not told the name.
  allowed_at timestamptz,
  created_at timestamptz not null default now(),
  primary key (tenant_id, account)
);
create index on onboarding.tenant_account (account);
call platform.tenant_table('onboarding.tenant_account', 'select', 'select, insert, update');

create table onboarding.agreement (
  tenant_id uuid not null references onboarding.tenant (tenant_id),
  id uuid not null,
  account text not null check (account ~ '^[0-9]{12}$'),
  license_arn text,
  product_code text not null,
  agreement_id text,
  dimensions jsonb not null default '[]',
  state text not null check (state in ('pending', 'active', 'ended')),
  channel text not null default 'marketplace' check (channel in ('marketplace', 'direct')),
  -- Events come in any order; an older one changes nothing.
  last_event_at timestamptz,
  created_at timestamptz not null default now(),
  ended_at timestamptz,
  version int not null default 1,
  primary key (tenant_id, id),
  check ((state = 'ended') = (ended_at is not null))
);
create unique index on onboarding.agreement (license_arn) where license_arn is not null;
create unique index on onboarding.agreement (account, product_code) where license_arn is null and state <> 'ended';
create index on onboarding.agreement (agreement_id);
call platform.tenant_table('onboarding.agreement', 'select', 'select, insert, update');

-- As EC2 shows them. Another owner or creation time under a known id is another connection.
create table onboarding.endpoint_connection (
  id uuid primary key,
  service_id text not null,
  endpoint_id text not null,
  owner text not null,
  endpoint_created_at timestamptz not null,
  connection_id text,
  region text,
  state text not null,
  first_seen_at timestamptz not null default now(),
  last_seen_at timestamptz not null default now(),
  -- Complete listings in a row that did not show it: EC2 is eventually consistent, so one proves nothing.
  missed int not null default 0,
  -- Code of the last answer of EC2 that refused what was decided.
  fault text,
  unique (service_id, endpoint_id, owner, endpoint_created_at)
);
grant select, insert, update on onboarding.endpoint_connection to na_system;

create table onboarding.binding (
  tenant_id uuid not null references onboarding.tenant (tenant_id),
  id uuid not null,
  connection uuid not null references onboarding.endpoint_connection (id),
  endpoint_id text not null,
  started_at timestamptz not null default now(),
  ended_at timestamptz,
  end_reason text,
  primary key (tenant_id, id),
  check ((ended_at is null) = (end_reason is null))
);
-- An endpoint speaks for one tenant at a time.
create unique index binding_alive on onboarding.binding (endpoint_id) where ended_at is null;
call platform.tenant_table('onboarding.binding', 'select', 'select, insert, update');

create table onboarding.acceptance_decision (
  id uuid primary key,
  connection uuid not null references onboarding.endpoint_connection (id),
  verdict text not null check (verdict in ('accept', 'reject', 'leave')),
  rule text not null,
  reason text not null,
  made_by text not null,
  bound_tenant uuid references onboarding.tenant (tenant_id),
  at timestamptz not null default now(),
  check (verdict <> 'accept' or bound_tenant is not null)
);
create index on onboarding.acceptance_decision (connection, id);
grant select, insert on onboarding.acceptance_decision to na_system;
call platform.append_only('onboarding.acceptance_decision');

-- The first row that fits decides.
create table onboarding.acceptance_policy (
  position int primary key,
  name text not null unique,
  owner text not null check (owner in ('one_active_tenant', 'several_active_tenants', 'inactive_tenant', 'stranger', 'anyone')),
  account text check (account ~ '^[0-9]{12}$'),
  verdict text not null check (verdict in ('accept', 'reject', 'leave')),
  reason text not null,
  check (verdict <> 'accept' or owner = 'one_active_tenant')
);
grant select, insert, update, delete on onboarding.acceptance_policy to na_system;
insert into onboarding.acceptance_policy (position, name, owner, verdict, reason) values
  (100, 'active_tenant', 'one_active_tenant', 'accept', 'The endpoint''s account belongs to one active tenant.'),
  (200, 'several_tenants', 'several_active_tenants', 'leave', 'The endpoint''s account belongs to several tenants: the provider decides which one it serves.'),
  (300, 'inactive_tenant', 'inactive_tenant', 'leave', 'The agreement of the endpoint''s account is not active.'),
  (400, 'stranger', 'stranger', 'reject', 'The endpoint''s account belongs to no tenant.');

create table onboarding.api_key (
  tenant_id uuid not null references onboarding.tenant (tenant_id),
  id uuid not null,
  sha256 bytea not null unique check (octet_length(sha256) = 32),
  prefix text not null,
  name text not null check (length(name) between 1 and 100),
  member text not null check (length(member) between 1 and 100),
  role text not null check (role in ('viewer', 'operator', 'admin')),
  created_at timestamptz not null default now(),
  last_used_at timestamptz,
  revoked_at timestamptz,
  primary key (tenant_id, id)
);
create trigger frozen before update on onboarding.api_key for each row
  execute function platform.frozen('tenant_id', 'id', 'sha256', 'prefix', 'member', 'role', 'created_at');
call platform.tenant_table('onboarding.api_key', 'select, insert, update', 'select, insert, update');

create table onboarding.registration_session (
  tenant_id uuid not null references onboarding.tenant (tenant_id),
  sha256 bytea not null unique check (octet_length(sha256) = 32),
  created_at timestamptz not null default now(),
  expires_at timestamptz not null,
  primary key (tenant_id, sha256)
);
call platform.tenant_table('onboarding.registration_session', '', 'select, insert, delete');

-- Stored before anything is done about it; the id is the sender's, so a redelivery is a conflict.
create table onboarding.marketplace_event (
  id text primary key,
  kind text not null,
  at timestamptz not null,
  license_arn text,
  agreement_id text,
  account text,
  product_code text,
  body jsonb not null,
  received_at timestamptz not null default now(),
  applied_at timestamptz
);
create index on onboarding.marketplace_event (license_arn);
create index on onboarding.marketplace_event (agreement_id);
create index on onboarding.marketplace_event (account);
grant select, insert, update on onboarding.marketplace_event to na_system;
