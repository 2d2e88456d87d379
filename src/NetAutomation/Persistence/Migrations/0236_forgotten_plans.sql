-- Plans that were never applied are deleted some time after they ended; the runs that checked them stay.
alter table runs.run drop constraint run_tenant_id_plan_id_fkey,
  add foreign key (tenant_id, plan_id) references runs.plan (tenant_id, id) on delete set null (plan_id);
grant delete on runs.plan to na_system;
