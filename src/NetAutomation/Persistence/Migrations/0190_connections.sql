-- Acceptance policies as documents: ordered, of any version that ever decided, so that a decision can be read with the rule that made it.
create table onboarding.acceptance_policy_version (
  version int primary key check (version > 0),
  rules jsonb not null check (jsonb_typeof(rules) = 'array'),
  made_by text not null,
  at timestamptz not null default now()
);
grant select, insert on onboarding.acceptance_policy_version to na_system;
call platform.append_only('onboarding.acceptance_policy_version');
insert into onboarding.acceptance_policy_version (version, rules, made_by)
select 1, coalesce(jsonb_agg(jsonb_strip_nulls(jsonb_build_object(
         'name', name, 'owner', owner, 'accounts', case when account is not null then jsonb_build_array(account) end, 'verdict', verdict, 'reason', reason)) order by position), '[]'),
       'migration'
from onboarding.acceptance_policy;
drop table onboarding.acceptance_policy;

alter table onboarding.acceptance_decision
  add column policy_version int references onboarding.acceptance_policy_version (version),
  -- Made about a connection that was rejected by an earlier decision: it is meant to be taken back. One that somebody else rejects is left alone.
  add column takes_back boolean not null default false;

alter table onboarding.endpoint_connection
  -- The provider's own tags on the connection.
  add column tags jsonb not null default '{}',
  -- The decision that counts. Whoever decides names the one before, so of two at the same time one is refused.
  add column decision uuid references onboarding.acceptance_decision (id) deferrable initially deferred,
  -- The decision EC2 was last asked to carry out, how often in vain, and when to ask again.
  add column asked uuid,
  add column attempts int not null default 0,
  add column ask_at timestamptz;
update onboarding.endpoint_connection c
set decision = (select d.id from onboarding.acceptance_decision d where d.connection = c.id order by d.id desc limit 1);
set constraints all immediate;

-- Those that were gone long ago stay for the record; rounds look at the rest.
create index endpoint_connection_seen on onboarding.endpoint_connection (service_id, endpoint_id) where missed < 3;
create index endpoint_connection_owner on onboarding.endpoint_connection (owner, id);
create index binding_connection on onboarding.binding (connection) where ended_at is null;

-- A tenant may restrict who of an account sees the endpoint service, to these roles and users.
alter table onboarding.tenant_account
  add column principals text[] not null default '{}',
  add column removed_at timestamptz;

-- Roles and users that were allowed here. Others of these forms were allowed by a person and are left alone.
create table onboarding.allowed_principal (
  service_id text not null,
  principal text not null,
  -- Code of EC2's last refusal to allow it.
  fault text,
  at timestamptz not null default now(),
  primary key (service_id, principal)
);
grant select, insert, update, delete on onboarding.allowed_principal to na_system;
