-- Tenants, their AWS accounts, agreements and keys, and the endpoint connections with the decisions about them.
create schema onboarding;

create table onboarding.tenant (
  tenant_id uuid primary key,
  name text not null check (length(name) between 1 and 200),
  state text not null check (state in ('pending', 'active', 'suspended', 'ended')),
  -- An ended tenant may still read for a while, to export its data.
  reads_until timestamptz,
  created_at timestamptz not null default now(),
  changed_at timestamptz not null default now(),
  -- A suspension is a reason of its own not to be active, beside the agreements, so a change of one keeps the other.
  suspended_at timestamptz,
  suspended_by text,
  suspended_reason text,
  -- Offboarding that has begun cannot be undone.
  offboarding_at timestamptz,
  offboarding_by text,
  offboarding_reason text,
  -- The tenant that was tried longest ago comes next, so a tenant that has to wait delays no other.
  offboarding_tried_at timestamptz,
  offboarded_at timestamptz,
  check ((state = 'ended') = (reads_until is not null)),
  check ((suspended_at is null) = (suspended_by is null)),
  check (offboarding_at is null or state = 'ended'),
  check (offboarded_at is null or offboarding_at is not null)
);
call web.tenant_table('onboarding.tenant', 'select', 'select, insert, update');

-- AWS accounts from which the tenant may open endpoints; the buyer's account is the first. Each is proven: by the purchase, by a person at
-- the provider, or by a request to AWS STS that it signed.
create table onboarding.tenant_account (
  tenant_id uuid not null references onboarding.tenant (tenant_id),
  account text not null check (account ~ '^[0-9]{12}$'),
  proven_by text not null check (proven_by in ('marketplace', 'operator', 'sts')),
  active boolean not null default true,
  -- The only roles and users of the account that see the endpoint service; all of the account where empty.
  principals text[] not null default '{}',
  -- Since when EC2 lets the account see the endpoint service; the customer learns the service's name after that.
  allowed_at timestamptz,
  removed_at timestamptz,
  created_at timestamptz not null default now(),
  primary key (tenant_id, account)
);
create index on onboarding.tenant_account (account);
call web.tenant_table('onboarding.tenant_account', 'select, insert, update', 'select, insert, update');

-- Accounts that a tenant claims, each with the value that its proof must sign. A claim stays after its challenge has expired, so that a
-- person can approve it.
create table onboarding.account_challenge (
  tenant_id uuid not null references onboarding.tenant (tenant_id),
  account text not null check (account ~ '^[0-9]{12}$'),
  nonce text not null check (length(nonce) = 43),
  expires_at timestamptz not null,
  attempts int not null default 0 check (attempts between 0 and 10),
  requested_by text not null,
  created_at timestamptz not null default now(),
  primary key (tenant_id, account)
);
call web.tenant_table('onboarding.account_challenge', 'select, insert, update, delete', 'select, insert, update, delete');

-- The state of an agreement is computed from all its stored events, so the order in which they come does not matter.
create table onboarding.agreement (
  tenant_id uuid not null references onboarding.tenant (tenant_id),
  id uuid not null,
  account text not null check (account ~ '^[0-9]{12}$'),
  license_arn text,
  product_code text not null,
  agreement_id text,
  -- The buyer's name in the events of products without concurrent agreements; known when the token is resolved.
  customer_identifier text,
  state text not null check (state in ('pending', 'active', 'ending', 'ended')),
  channel text not null default 'marketplace' check (channel in ('marketplace', 'direct')),
  last_event_at timestamptz,
  created_at timestamptz not null default now(),
  activated_at timestamptz,
  -- When its end was announced; an agreement whose end never comes does not stay in force for ever.
  ending_at timestamptz,
  ended_at timestamptz,
  -- The last confirmation was a contract that AWS lists.
  by_contract boolean not null default false,
  -- When AWS was last asked for its contract.
  asked_at timestamptz,
  -- How often in a row, and since when, AWS listed no contract; a single empty answer does not end the agreement.
  unlisted int not null default 0,
  unlisted_since timestamptz,
  -- When its tenant was offboarded. A new subscription of the buyer makes a new agreement, for which only later events count.
  retired_at timestamptz,
  since timestamptz not null default '-infinity',
  version int not null default 1,
  primary key (tenant_id, id),
  check ((state = 'ended') = (ended_at is not null))
);
create unique index agreement_license on onboarding.agreement (license_arn) where license_arn is not null and retired_at is null;
create unique index agreement_product on onboarding.agreement (account, product_code) where license_arn is null and retired_at is null;
create index agreement_customer on onboarding.agreement (product_code, customer_identifier) where customer_identifier is not null;
create index on onboarding.agreement (agreement_id);
call web.tenant_table('onboarding.agreement', 'select', 'select, insert, update');

-- Endpoint connections as EC2 shows them. The same endpoint id with another owner or creation time is another connection.
create table onboarding.endpoint_connection (
  id uuid primary key,
  service_id text not null,
  endpoint_id text not null,
  owner text not null,
  endpoint_created_at timestamptz not null,
  connection_id text,
  region text,
  state text not null,
  state_at timestamptz not null default now(),
  -- The provider's own tags on the connection.
  tags jsonb not null default '{}',
  first_seen_at timestamptz not null default now(),
  last_seen_at timestamptz not null default now(),
  -- How many complete listings in a row did not show it. EC2 is eventually consistent, so one proves nothing.
  missed int not null default 0,
  missed_at timestamptz,
  -- The decision in force. A new decision names the one that it replaces, so one of two simultaneous decisions is refused.
  decision uuid,
  -- The decision that EC2 was last asked to carry out, how often it failed, and when to ask again.
  asked uuid,
  attempts int not null default 0,
  ask_at timestamptz,
  -- Code of EC2's last refusal to carry out the decision.
  fault text,
  unique (service_id, endpoint_id, owner, endpoint_created_at)
);
-- Connections that are gone stay for the record; rounds read only the others.
create index endpoint_connection_seen on onboarding.endpoint_connection (service_id, endpoint_id) where missed < 3;
create index endpoint_connection_owner on onboarding.endpoint_connection (owner, id);
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
-- An endpoint belongs to one tenant at a time.
create unique index binding_alive on onboarding.binding (endpoint_id) where ended_at is null;
create index binding_connection on onboarding.binding (connection) where ended_at is null;
call web.tenant_table('onboarding.binding', 'select', 'select, insert, update');

-- Every version of the acceptance policy, so that each decision can be read with the rule that made it. The first rule that fits decides.
create table onboarding.acceptance_policy_version (
  version int primary key check (version > 0),
  rules jsonb not null check (jsonb_typeof(rules) = 'array'),
  made_by text not null,
  at timestamptz not null default now()
);
grant select, insert on onboarding.acceptance_policy_version to na_system;
call web.append_only('onboarding.acceptance_policy_version');
insert into onboarding.acceptance_policy_version (version, rules, made_by) values (1, '[
  {"name": "active_tenant", "owner": "one_active_tenant", "verdict": "accept",
   "reason": "The endpoint''s account belongs to one active tenant."},
  {"name": "several_tenants", "owner": "several_active_tenants", "verdict": "leave",
   "reason": "The endpoint''s account belongs to several tenants: the provider decides which one it serves."},
  {"name": "inactive_tenant", "owner": "inactive_tenant", "verdict": "leave",
   "reason": "The agreement of the endpoint''s account is not active."},
  {"name": "stranger", "owner": "stranger", "verdict": "reject", "reason": "The endpoint''s account belongs to no tenant."}]', 'migration');

create table onboarding.acceptance_decision (
  id uuid primary key,
  connection uuid not null references onboarding.endpoint_connection (id),
  verdict text not null check (verdict in ('accept', 'reject', 'leave')),
  rule text not null,
  reason text not null,
  made_by text not null,
  bound_tenant uuid references onboarding.tenant (tenant_id),
  policy_version int references onboarding.acceptance_policy_version (version),
  -- An earlier decision rejected the connection, and this one takes that back. A connection that somebody else rejected is left alone.
  takes_back boolean not null default false,
  at timestamptz not null default now(),
  check (verdict <> 'accept' or bound_tenant is not null)
);
create index on onboarding.acceptance_decision (connection, id);
grant select, insert on onboarding.acceptance_decision to na_system;
call web.append_only('onboarding.acceptance_decision');
alter table onboarding.endpoint_connection
  add foreign key (decision) references onboarding.acceptance_decision (id) deferrable initially deferred;

-- Principals that this service allowed. Roles and users that are not listed here were allowed by a person and are left alone.
create table onboarding.allowed_principal (
  service_id text not null,
  principal text not null,
  -- Code of EC2's last refusal to allow it. The service asks for a refused principal more and more rarely.
  fault text,
  attempts int not null default 0,
  ask_at timestamptz,
  at timestamptz not null default now(),
  primary key (service_id, principal)
);
grant select, insert, update, delete on onboarding.allowed_principal to na_system;

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
  -- A key that was rotated, or was issued for a limited time, ends by itself.
  expires_at timestamptz,
  revoked_at timestamptz,
  primary key (tenant_id, id)
);
create trigger frozen before update on onboarding.api_key for each row
  execute function web.frozen('tenant_id', 'id', 'sha256', 'prefix', 'member', 'role', 'created_at');
call web.tenant_table('onboarding.api_key', 'select, insert, update', 'select, insert, update');

create table onboarding.registration_session (
  tenant_id uuid not null references onboarding.tenant (tenant_id),
  sha256 bytea not null unique check (octet_length(sha256) = 32),
  created_at timestamptz not null default now(),
  expires_at timestamptz not null,
  primary key (tenant_id, sha256)
);
call web.tenant_table('onboarding.registration_session', '', 'select, insert, delete');

-- An event is stored before it is applied. The id is the sender's, so a second delivery conflicts with the first.
create table onboarding.marketplace_event (
  id text primary key,
  kind text not null,
  at timestamptz not null,
  license_arn text,
  agreement_id text,
  account text,
  product_code text,
  customer_identifier text,
  status text,
  -- As received, since jsonb refuses some valid JSON, such as U+0000.
  body text not null,
  received_at timestamptz not null default now(),
  applied_at timestamptz
);
create index on onboarding.marketplace_event (license_arn);
create index on onboarding.marketplace_event (agreement_id);
create index on onboarding.marketplace_event (account);
create index on onboarding.marketplace_event (product_code, customer_identifier) where customer_identifier is not null;
-- Events that wait for their agreement.
create index on onboarding.marketplace_event (received_at) where applied_at is null;
grant select, insert, update on onboarding.marketplace_event to na_system;

-- The agreements that each event concerns. An event of a licence names the licence; an event of an agreement names no licence, and licence
-- events link the two; products without licences are matched by product and account, or by product and customer.
create view onboarding.event_agreement with (security_invoker = true) as
select e.id as event, a.id as agreement
  from onboarding.marketplace_event e join onboarding.agreement a on a.license_arn = e.license_arn
union all
select e.id, a.id
  from onboarding.marketplace_event e join onboarding.agreement a on a.agreement_id = e.agreement_id
  where e.license_arn is null
union all
select e.id, a.id
  from onboarding.marketplace_event e
    join onboarding.marketplace_event l on l.agreement_id = e.agreement_id
    join onboarding.agreement a on a.license_arn = l.license_arn
  where e.license_arn is null
union all
select e.id, a.id
  from onboarding.marketplace_event e join onboarding.agreement a on a.product_code = e.product_code and a.account = e.account
  where e.license_arn is null and a.license_arn is null
union all
select e.id, a.id
  from onboarding.marketplace_event e
    join onboarding.agreement a on a.product_code = e.product_code and a.customer_identifier = e.customer_identifier
  where e.license_arn is null and a.license_arn is null;
grant select on onboarding.event_agreement to na_system;

-- The steps of offboarding that are done; each is done once.
create table onboarding.offboarding_step (
  tenant_id uuid not null references onboarding.tenant (tenant_id),
  step text not null,
  done_at timestamptz not null default now(),
  -- How many items the step changed, such as revoked keys or destroyed secrets.
  count int not null,
  primary key (tenant_id, step)
);
call web.tenant_table('onboarding.offboarding_step', '', 'select, insert');
