-- What the texts of a device take: what is loose in plain bytes, since that is what a fold works on, and all of them as they are stored.
alter table history.device no force row level security;
alter table history.version no force row level security;
alter table history.pack no force row level security;
alter table history.device add loose int not null default 0, add bytes bigint not null default 0;
update history.device d set loose = l.bytes, bytes = octet_length(d.whole) + l.bytes + coalesce(
  (select sum(octet_length(box)) from history.pack p where p.tenant_id = d.tenant_id and p.device_id = d.device_id), 0)
from history.device same cross join lateral (
  select least(coalesce(sum(octet_length(delta)), 0), 1 << 30)::int as bytes from history.version v
  where v.tenant_id = same.tenant_id and v.device_id = same.device_id) l
where same.tenant_id = d.tenant_id and same.device_id = d.device_id;
-- Plain bytes. A pack of before counts as full: how much it holds stands in its box alone.
alter table history.pack add plain int not null default 16 << 20;
alter table history.pack alter plain drop default;
alter table history.device force row level security;
alter table history.version force row level security;
alter table history.pack force row level security;

-- How long a config was true, where its text was read again and was still the same.
create table history.spell (
  tenant_id uuid not null,
  device_id uuid not null,
  id uuid not null,
  last_at timestamptz not null,
  readings int not null check (readings > 1),
  primary key (tenant_id, device_id, id),
  foreign key (tenant_id, device_id, id) references history.config on delete cascade
);
call web.tenant_table('history.spell', 'select, insert, update', 'select, delete');
