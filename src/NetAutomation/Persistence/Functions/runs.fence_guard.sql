create or replace function runs.fence_guard() returns trigger language plpgsql as $$
begin
  if new.value <= old.value then raise exception 'a fence only grows' using errcode = 'restrict_violation'; end if;
  return new;
end $$;
create or replace trigger guard before update on runs.fence_counter for each row execute function runs.fence_guard();
