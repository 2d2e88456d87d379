-- The state of an agreement is computed from every event that is stored of it, so the order in which they come means nothing.
alter table onboarding.marketplace_event
  -- A body is kept as it came: jsonb refuses what JSON allows, such as U+0000.
  alter column body type text using body::text,
  add column status text,
  add column customer_identifier text;
update onboarding.marketplace_event set status = body::jsonb -> 'detail' -> 'agreement' ->> 'status' where left(body, 1) = '{';
create index on onboarding.marketplace_event (product_code, customer_identifier) where customer_identifier is not null;

alter table onboarding.agreement
  drop constraint agreement_state_check,
  add constraint agreement_state_check check (state in ('pending', 'active', 'ending', 'ended')),
  -- How the notices of products without concurrent agreements name the buyer; learnt when the token is resolved.
  add column customer_identifier text,
  add column activated_at timestamptz,
  -- The newest confirmation was that AWS lists a contract.
  add column by_contract boolean not null default false,
  -- When AWS was last asked for its contract.
  add column asked_at timestamptz,
  -- The tenant was offboarded: who subscribes again begins anew, and only what happens after that counts for them.
  add column retired_at timestamptz,
  add column since timestamptz not null default '-infinity';
alter table onboarding.agreement no force row level security;
update onboarding.agreement set activated_at = created_at where state = 'active';
-- The version before began a second agreement where the first had ended: the newest goes on, and what ended is the others'.
with ranked as (
  select tenant_id, id, row_number() over newest_first as place, max(ended_at) over (newest_first rows between 1 following and unbounded following) as before
  from onboarding.agreement where license_arn is null
  window newest_first as (partition by account, product_code order by state <> 'ended' desc, created_at desc, id desc))
update onboarding.agreement a set retired_at = case when r.place > 1 then now() end, since = coalesce(case when r.place = 1 then r.before end, a.since)
from ranked r where a.tenant_id = r.tenant_id and a.id = r.id and (r.place > 1 or r.before is not null);
alter table onboarding.agreement force row level security;

drop index onboarding.agreement_license_arn_idx;
drop index onboarding.agreement_account_product_code_idx;
create unique index agreement_license on onboarding.agreement (license_arn) where license_arn is not null and retired_at is null;
create unique index agreement_product on onboarding.agreement (account, product_code) where license_arn is null and retired_at is null;
create index agreement_customer on onboarding.agreement (product_code, customer_identifier) where customer_identifier is not null;

-- Suspended is one more reason not to be active, beside the agreements: neither order of the two loses the other.
alter table onboarding.tenant
  add column suspended_at timestamptz,
  add column suspended_by text,
  add column suspended_reason text,
  add check ((suspended_at is null) = (suspended_by is null));
alter table onboarding.tenant no force row level security;
update onboarding.tenant set suspended_at = changed_at, suspended_by = 'operator' where state = 'suspended';
alter table onboarding.tenant force row level security;
