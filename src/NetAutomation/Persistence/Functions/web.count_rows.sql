-- Keeps the number of a tenant's rows in a table, in the statement that adds or deletes them. The argument names the limit. By their names,
-- these triggers come before those that lock the queue: whoever adds takes the counter first, so whoever deletes must, too.
create or replace function web.count_rows() returns trigger language plpgsql as $$
declare c record;
begin
  for c in select tenant_id, count(*) as n from changed group by tenant_id order by tenant_id loop
    if tg_op = 'INSERT' then
      perform web.take(c.tenant_id, tg_argv[0], c.n);
    else
      update web.tenant_limit set used = used - c.n where tenant_id = c.tenant_id and name = tg_argv[0];
    end if;
  end loop;
  return null;
end $$;
create or replace trigger at_limit after insert on inventory.device
  referencing new table as changed for each statement execute function web.count_rows('devices');
create or replace trigger below_limit after delete on inventory.device
  referencing old table as changed for each statement execute function web.count_rows('devices');
create or replace trigger at_limit after insert on inventory.site
  referencing new table as changed for each statement execute function web.count_rows('sites');
create or replace trigger below_limit after delete on inventory.site
  referencing old table as changed for each statement execute function web.count_rows('sites');
create or replace trigger at_limit after insert on inventory.credential
  referencing new table as changed for each statement execute function web.count_rows('credentials');
create or replace trigger below_limit after delete on inventory.credential
  referencing old table as changed for each statement execute function web.count_rows('credentials');
create or replace trigger at_limit after insert on runs.maintenance_window
  referencing new table as changed for each statement execute function web.count_rows('windows');
create or replace trigger below_limit after delete on runs.maintenance_window
  referencing old table as changed for each statement execute function web.count_rows('windows');
create or replace trigger at_limit after insert on scheduling.schedule
  referencing new table as changed for each statement execute function web.count_rows('schedules');
create or replace trigger below_limit after delete on scheduling.schedule
  referencing old table as changed for each statement execute function web.count_rows('schedules');
