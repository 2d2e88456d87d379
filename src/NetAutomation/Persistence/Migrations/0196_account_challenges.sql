-- An account counts once it is proven: by the purchase, by a person at the provider, or by a request to AWS STS that it signed.
alter table onboarding.tenant_account
  drop constraint tenant_account_proven_by_check,
  add constraint tenant_account_proven_by_check check (proven_by in ('marketplace', 'operator', 'sts'));
grant insert, update on onboarding.tenant_account to na_app;

-- Accounts that a tenant claims, and what the proof of each has to be signed over. A claim outlives its challenge, for a person to approve.
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
call platform.tenant_table('onboarding.account_challenge', 'select, insert, update, delete', 'select, insert, update, delete');
