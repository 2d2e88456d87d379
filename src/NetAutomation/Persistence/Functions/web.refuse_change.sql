-- With an argument, the reason; without one, the table is append-only.
create or replace function web.refuse_change() returns trigger language plpgsql as $$
begin
  raise exception '%', coalesce(tg_argv[0], format('table %s.%s is append-only', tg_table_schema, tg_table_name))
    using errcode = 'restrict_violation';
end $$;
