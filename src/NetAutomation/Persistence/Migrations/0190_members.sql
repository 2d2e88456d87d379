-- People and systems of a tenant. Every API key belongs to one of them, and records name them.
create table onboarding.member (
  tenant_id uuid not null references onboarding.tenant (tenant_id),
  id uuid not null,
  name text not null check (length(name) between 1 and 128),
  role text not null check (role in ('viewer', 'operator', 'admin')),
  state text not null default 'active' check (state in ('active', 'disabled')),
  version int not null default 1,
  created_at timestamptz not null default now(),
  primary key (tenant_id, id),
  constraint member_name unique (tenant_id, name)
);
call web.tenant_table('onboarding.member', 'select, insert, update, delete', 'select, insert, update');

-- The owner is held to the policies, too, and append-only tables are to be changed this once.
create function pg_temp.open_table(target regclass, closed boolean) returns void language plpgsql as $$
begin
  execute format('alter table %s %s row level security', target, case when closed then 'force' else 'no force' end);
  execute format('alter table %s %s trigger user', target, case when closed then 'enable' else 'disable' end);
end $$;
create temporary table who (target) on commit drop as
  select unnest(array['onboarding.member', 'onboarding.api_key', 'runs.run', 'runs.run_transition', 'scheduling.schedule',
    'execution.device_test', 'purchasing.purchase', 'web.audit_event']::regclass[]);
select pg_temp.open_table(target, false) from who;

-- One member for each name and role of the keys, which takes the id of the oldest of them: ids say when something was made.
alter table onboarding.api_key add member_id uuid;
update onboarding.api_key k set member_id = m.id
from (select tenant_id, member, role, (array_agg(id order by id))[1] as id from onboarding.api_key group by 1, 2, 3) m
where m.tenant_id = k.tenant_id and m.member = k.member and m.role = k.role;
-- A name stays where its keys had one role. Else the role tells its members apart, and where somebody has that name already, the id.
insert into onboarding.member (tenant_id, id, name, role, created_at)
select tenant_id, id, case when taken then left(told, 91) || ' ' || id else told end, role, created_at
from (
  select *, told <> member and exists (
      select from onboarding.api_key x where x.tenant_id = named.tenant_id and x.member = named.told) as taken
  from (
    select tenant_id, member_id as id, member, role, min(created_at) as created_at,
      case when count(*) over (partition by tenant_id, member) > 1 then member || ' (' || role || ')' else member end as told
    from onboarding.api_key group by tenant_id, member_id, member, role) named) m;

-- Ids as the API writes them.
create function pg_temp.id_text(prefix text, id uuid) returns text language sql immutable as $$
  select prefix || string_agg(
    substr('0123456789abcdefghjkmnpqrstvwxyz',
      1 + substring(B'00' || ('x' || replace(id::text, '-', ''))::bit(128) from 1 + 5 * i for 5)::bit(5)::int, 1), '' order by i)
  from generate_series(0, 25) i
$$;
create temporary table key_member on commit drop as
select k.tenant_id, k.id as key, k.member_id as member, pg_temp.id_text('key_', k.id) as key_text,
  pg_temp.id_text('mem_', k.member_id) as member_text
from onboarding.api_key k;
create index on key_member (tenant_id, key);
create index on key_member (tenant_id, key_text);

update runs.run r set created_by = k.member,
  resolution = case when r.resolution ? 'by' then jsonb_set(r.resolution, '{by}', to_jsonb(
    coalesce((select member_text from key_member b where b.tenant_id = r.tenant_id and b.key_text = r.resolution ->> 'by'),
      r.resolution ->> 'by'))) else r.resolution end
from key_member k where k.tenant_id = r.tenant_id and k.key = r.created_by;
update runs.run_transition t set by = k.member_text from key_member k where k.tenant_id = t.tenant_id and k.key_text = t.by;
update scheduling.schedule s set created_by = k.member from key_member k where k.tenant_id = s.tenant_id and k.key = s.created_by;
update execution.device_test d set created_by = k.member from key_member k where k.tenant_id = d.tenant_id and k.key = d.created_by;
update purchasing.purchase p set created_by = k.member from key_member k where k.tenant_id = p.tenant_id and k.key = p.created_by;
update web.audit_event a set principal = k.member_text from key_member k where k.tenant_id = a.tenant_id and k.key_text = a.principal;

set constraints all immediate;
drop trigger frozen on onboarding.api_key;
alter table onboarding.api_key alter member_id set not null, drop member, drop role,
  add foreign key (tenant_id, member_id) references onboarding.member (tenant_id, id);
create index on onboarding.api_key (tenant_id, member_id);
create trigger frozen before update on onboarding.api_key for each row
  execute function web.frozen('tenant_id', 'id', 'sha256', 'prefix', 'member_id', 'created_at');
select pg_temp.open_table(target, true) from who;
