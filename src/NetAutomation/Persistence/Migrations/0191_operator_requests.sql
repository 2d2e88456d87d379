-- What an operator does only after another one has approved it, once.
create table onboarding.operator_request (
  tenant_id uuid not null references onboarding.tenant (tenant_id),
  id uuid not null,
  deed text not null check (deed in ('issue_key', 'export')),
  -- Whom the key is for.
  member text,
  reason text not null,
  requested_by text not null,
  requested_at timestamptz not null default now(),
  -- Approved and used by then, or not at all.
  expires_at timestamptz not null,
  approved_by text,
  approved_at timestamptz,
  used_at timestamptz,
  primary key (tenant_id, id),
  check ((deed = 'issue_key') = (member is not null)),
  check ((approved_by is null) = (approved_at is null)),
  check (approved_by <> requested_by),
  check (used_at is null or approved_at is not null)
);
create index on onboarding.operator_request (id);
call web.tenant_table('onboarding.operator_request', '', 'select, insert, update (approved_by, approved_at, used_at)');
