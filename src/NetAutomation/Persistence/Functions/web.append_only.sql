create or replace procedure web.append_only(target regclass) language plpgsql as $$
begin
  execute format('create trigger append_only before update or delete on %s for each row execute function web.refuse_change()', target);
  execute format(
    'create trigger append_only_truncate before truncate on %s for each statement execute function web.refuse_change()', target);
end $$;
