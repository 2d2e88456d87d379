-- How a tenant leaves: once begun there is no way back, and each step is done once.
alter table onboarding.tenant
  add column offboarding_at timestamptz,
  add column offboarding_by text,
  add column offboarding_reason text,
  add column offboarded_at timestamptz,
  add check (offboarding_at is null or state = 'ended'),
  add check (offboarded_at is null or offboarding_at is not null);

create table onboarding.offboarding_step (
  tenant_id uuid not null references onboarding.tenant (tenant_id),
  step text not null,
  done_at timestamptz not null default now(),
  -- How many of what it was about: keys revoked, secrets destroyed.
  count int not null,
  primary key (tenant_id, step)
);
call platform.tenant_table('onboarding.offboarding_step', '', 'select, insert');

-- Without the tenant's key the sealed secrets are noise; both are overwritten, since devices and receipts name the rows.
grant update (wrapped) on inventory.tenant_key to na_system;
grant update (ct, nonce, wrapped_dek) on inventory.credential to na_system;
grant update (enabled, version) on scheduling.schedule to na_system;
