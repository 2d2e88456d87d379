-- How a run is tried again after its worker lost it: 'queue' for a run that only reads, up to three attempts; 'verify' for an idempotent
-- one, whose unfinished devices are checked and then configured again, by a second attempt and no third; 'look' for one with a guard: what
-- has been begun goes back by itself or is put back, and what has not is gone on with; until ten attempts were lost. Null: not at all.
create or replace function runs.next_attempt(r runs.run) returns text language plpgsql stable as $$
begin
  return case
    when not r.writes then case when r.attempt < 3 then 'queue' end
    when r.guard is not null then case when 9 > (
      select count(*) from runs.attempt a where a.tenant_id = r.tenant_id and a.run_id = r.id and a.ending = 'unknown') then 'look' end
    when r.effect = 'idempotent' and not exists (
      select from runs.run_device x where x.tenant_id = r.tenant_id and x.run_id = r.id and x.verify) then 'verify'
  end;
end $$;
