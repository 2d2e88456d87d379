-- A quote that was asked for and that no run has used. It counts until it expires, and is deleted some time after that.
alter table runs.quote add open boolean not null default false;
grant update (open) on runs.quote to na_app;

-- Row-level security holds for the owner, too.
alter table runs.quote no force row level security;
alter table runs.run no force row level security;
update runs.quote q set open = true
  where not exists (select from runs.run r where r.tenant_id = q.tenant_id and r.quote_id = q.id);
alter table runs.quote force row level security;
alter table runs.run force row level security;
create index quote_open on runs.quote (tenant_id, expires_at) where open;
