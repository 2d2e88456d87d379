-- A tenant that is suspended, or whose agreement ended, starts nothing that costs: not by request, not by schedule, not by renewal.
alter table billing.account add stopped_at timestamptz;
alter table billing.account no force row level security;
alter table onboarding.tenant no force row level security;
update billing.account a set stopped_at = now() from onboarding.tenant t where t.tenant_id = a.tenant_id and t.state in ('suspended', 'ended');
alter table onboarding.tenant force row level security;
alter table billing.account force row level security;
