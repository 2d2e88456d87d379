-- For tables whose rows stay as history: counts the rows that still work, after the lock of the limit, so that no two transactions count
-- without each other's. The arguments are the limit's name and the condition, which web.limits repeats.
create or replace function web.count_live() returns trigger language plpgsql as $$
declare c record; live bigint;
begin
  for c in select tenant_id, count(*) as n from changed group by tenant_id order by tenant_id loop
    perform web.take(c.tenant_id, tg_argv[0], 0);
    execute format('select count(*) from %s where tenant_id = $1 and %s', tg_relid::regclass, tg_argv[1]) into live using c.tenant_id;
    perform web.refuse_above(c.tenant_id, tg_argv[0], live - c.n, c.n);
  end loop;
  return null;
end $$;
create or replace trigger at_limit after insert on onboarding.api_key referencing new table as changed for each statement
  execute function web.count_live('api_keys', 'revoked_at is null and (expires_at is null or expires_at > now())');
create or replace trigger at_limit after insert on onboarding.member referencing new table as changed for each statement
  execute function web.count_live('members', 'true');
create or replace trigger at_limit after insert on connectors.connector referencing new table as changed for each statement
  execute function web.count_live('connectors', $$state <> 'revoked'$$);
