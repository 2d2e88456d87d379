-- Holds a table to one tenant per transaction, for its owner too. The sub-select is evaluated once, so indexes still serve.
create or replace procedure web.tenant_table(target regclass, app text, system text, append_only boolean default false)
language plpgsql as $$
begin
  execute format('alter table %s enable row level security', target);
  execute format('alter table %s force row level security', target);
  execute format($p$create policy tenant on %s to na_app
    using (tenant_id = (select nullif(current_setting('app.tenant', true), '')::uuid))
    with check (tenant_id = (select nullif(current_setting('app.tenant', true), '')::uuid))$p$, target);
  execute format('create policy system on %s to na_system using (true) with check (true)', target);
  if app <> '' then execute format('grant %s on %s to na_app', app, target); end if;
  if system <> '' then execute format('grant %s on %s to na_system', system, target); end if;
  if append_only then call web.append_only(target); end if;
end $$;
