-- Checks one tenant's books; stops its invoicing where they have findings, and resumes it where they have none. Books that were not fully
-- checked for a day, or that have findings, are checked from their beginning. Returns the number of findings.
create or replace function billing.check_books(p_tenant uuid, p_since timestamptz, p_grace interval) returns bigint language plpgsql as $$
declare a billing.account; since timestamptz := p_since; checks text[]; hits bigint;
begin
  select * into a from billing.account where tenant_id = p_tenant for no key update;
  if a.parked_at is not null or a.fully_checked_at is null or a.fully_checked_at < now() - interval '1 day' then since := 'epoch'; end if;
  with rows as materialized (select * from billing.reconcile(p_tenant, since, p_grace) limit 10000),
  gone as (
    delete from billing.finding f where f.tenant_id = p_tenant
      and not exists (select from rows r where (r.check_name, r.subject) = (f.check_name, f.subject))),
  fresh as (
    insert into billing.finding (tenant_id, check_name, subject, detail)
    select distinct on (r.check_name, r.subject) p_tenant, r.check_name, r.subject, r.detail from rows r
    on conflict do nothing)
  select array_agg(distinct r.check_name order by r.check_name), count(*) into checks, hits from rows r;
  update billing.account set checked_at = now(), fully_checked_at = case when since = 'epoch' then now() else fully_checked_at end,
    parked_by = checks, parked_at = case when hits > 0 then coalesce(parked_at, now()) end
  where tenant_id = p_tenant;
  return hits;
end $$;
