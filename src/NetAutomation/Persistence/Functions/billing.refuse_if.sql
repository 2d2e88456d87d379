-- For guards: one statement for each rule.
create or replace function billing.refuse_if(refused boolean, reason text) returns void language plpgsql as $$
begin
  if refused then raise exception '%', reason using errcode = 'restrict_violation'; end if;
end $$;
