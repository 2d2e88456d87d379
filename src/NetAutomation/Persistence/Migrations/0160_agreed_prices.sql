-- A price agreed with one tenant is that tenant's alone; a general one is everybody's.
alter table billing.price_version enable row level security;
alter table billing.price_version force row level security;
create policy tenant on billing.price_version for select to na_app
  using (scope in ('00000000-0000-0000-0000-000000000000', (select nullif(current_setting('app.tenant', true), '')::uuid)));
create policy system on billing.price_version to na_system using (true) with check (true);
