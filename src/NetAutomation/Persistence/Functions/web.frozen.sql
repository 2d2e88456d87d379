-- Columns that never change once written.
create or replace function web.frozen() returns trigger language plpgsql as $$
declare c text;
begin
  foreach c in array tg_argv loop
    if to_jsonb(new) -> c is distinct from to_jsonb(old) -> c then
      raise exception 'column % of %.% is immutable', c, tg_table_schema, tg_table_name using errcode = 'restrict_violation';
    end if;
  end loop;
  return new;
end $$;
