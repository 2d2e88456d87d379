-- The queue as rows of its own: one per queued run, kept by triggers on the run's state. A claim reads ready ones in order. One that it
-- finds waiting is put aside under what it waits for, and what ends the waiting makes it ready again, so a claim costs the same however
-- many wait. Putting aside and making ready both lock the tenant's quota row first: neither can miss the other.
create table runs.queue (
  tenant_id uuid not null,
  run_id uuid not null,
  priority int not null,
  created_at timestamptz not null,
  exclusive boolean not null,
  ready boolean not null default true,
  waits_for text check (waits_for in ('connector', 'device', 'window', 'expiry')),
  -- The site or the device.
  waits_on uuid,
  -- When a window may open; and now and then in any case, should a wake-up ever be missed.
  look_at timestamptz,
  primary key (tenant_id, run_id),
  check (ready or waits_for is not null),
  foreign key (tenant_id, run_id) references runs.run (tenant_id, id)
) with (fillfactor = 70, autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 1000);
create index queue_ready on runs.queue (tenant_id, priority desc, created_at, run_id) where ready;
create index queue_waiting on runs.queue (tenant_id, waits_on, exclusive, priority desc, created_at, run_id) where waits_on is not null;
create index queue_windows on runs.queue (tenant_id) where waits_for = 'window' and not ready;
create index queue_look on runs.queue (look_at) where look_at is not null;
call platform.tenant_table('runs.queue', 'select, insert, update, delete', 'select, insert, update, delete');

-- Devices that a writer waits for and that only readers hold. Readers queued after it do not get past it on any of them, so a stream of
-- readers ends; a writer that waits for anything else bars nobody.
create table runs.waiting_writer (
  tenant_id uuid not null,
  device_id uuid not null,
  run_id uuid not null,
  queued_at timestamptz not null,
  primary key (tenant_id, device_id, run_id),
  foreign key (tenant_id, run_id) references runs.run (tenant_id, id)
);
create index on runs.waiting_writer (tenant_id, run_id);
create index on runs.waiting_writer (tenant_id, device_id, queued_at);
call platform.tenant_table('runs.waiting_writer', 'select, insert, delete', 'select, insert, delete');

-- Between tenants that have equally many running, the one served longest ago comes first.
alter table runs.tenant_quota add column served_at timestamptz not null default '-infinity';

create function runs.lock_quota(p_tenant uuid) returns void language plpgsql as $$
begin
  insert into runs.tenant_quota (tenant_id) values (p_tenant) on conflict (tenant_id) do nothing;
  perform from runs.tenant_quota where tenant_id = p_tenant for update;
end $$;

-- Makes ready who comes next at these devices: the first writer, and the first readers that no waiting writer bars. Each of them that then
-- leaves the device, by a claim or to wait elsewhere, calls the next. The caller holds the quota's lock.
create function runs.wake_devices(p_tenant uuid, p_devices uuid[]) returns void language sql as $$
  update runs.queue q set ready = true
  from unnest(p_devices) d cross join lateral (
    (select x.run_id from runs.queue x where x.tenant_id = p_tenant and x.waits_on = d and x.exclusive
     order by x.priority desc, x.created_at, x.run_id limit 1)
    union all
    (select x.run_id from runs.queue x where x.tenant_id = p_tenant and x.waits_on = d and not x.exclusive and x.created_at <= coalesce(
       (select min(w.queued_at) from runs.waiting_writer w where w.tenant_id = p_tenant and w.device_id = d), 'infinity')
     order by x.priority desc, x.created_at, x.run_id limit 20)) n
  where q.tenant_id = p_tenant and q.run_id = n.run_id and not q.ready
$$;

-- The same for a site that has a connector again, in the order of the queue.
create function runs.wake_site(p_tenant uuid, p_site uuid) returns void language sql as $$
  update runs.queue q set ready = true
  from (
    (select x.priority, x.created_at, x.run_id from runs.queue x where x.tenant_id = p_tenant and x.waits_on = p_site and x.exclusive
     order by x.priority desc, x.created_at, x.run_id limit 20)
    union all
    (select x.priority, x.created_at, x.run_id from runs.queue x where x.tenant_id = p_tenant and x.waits_on = p_site and not x.exclusive
     order by x.priority desc, x.created_at, x.run_id limit 20)
    order by 1 desc, 2, 3 limit 20) n
  where q.tenant_id = p_tenant and q.run_id = n.run_id and not q.ready
$$;

-- A run leaves what it waited for; the next may look.
create function runs.wake_next(p_tenant uuid, p_waits_for text, p_waits_on uuid) returns void language plpgsql as $$
begin
  if p_waits_for = 'device' then perform runs.wake_devices(p_tenant, array[p_waits_on]);
  elsif p_waits_for = 'connector' then perform runs.wake_site(p_tenant, p_waits_on);
  end if;
end $$;

create function runs.enter_queue() returns trigger language plpgsql as $$
begin
  insert into runs.queue (tenant_id, run_id, priority, created_at, exclusive)
    values (new.tenant_id, new.id, new.priority, new.created_at, new.effect <> 'read' and new.mode = 'apply');
  return null;
end $$;
create function runs.leave_queue() returns trigger language plpgsql as $$
declare q record;
begin
  perform runs.lock_quota(new.tenant_id);
  delete from runs.waiting_writer where tenant_id = new.tenant_id and run_id = new.id;
  delete from runs.queue where tenant_id = new.tenant_id and run_id = new.id returning waits_for, waits_on into q;
  perform runs.wake_next(new.tenant_id, q.waits_for, q.waits_on);
  return null;
end $$;
create trigger enter_queue after insert on runs.run for each row when (new.state = 'queued') execute function runs.enter_queue();
create trigger enter_queue_again after update of state on runs.run for each row
  when (new.state = 'queued' and old.state <> 'queued') execute function runs.enter_queue();
create trigger leave_queue after update of state on runs.run for each row
  when (old.state = 'queued' and new.state <> 'queued') execute function runs.leave_queue();

create function runs.devices_freed() returns trigger language plpgsql as $$
declare g record;
begin
  for g in select tenant_id, array_agg(distinct device_id) as devices from gone group by tenant_id order by tenant_id loop
    perform runs.lock_quota(g.tenant_id);
    perform runs.wake_devices(g.tenant_id, g.devices);
  end loop;
  return null;
end $$;
create trigger freed after delete on runs.device_hold referencing old table as gone for each statement execute function runs.devices_freed();
create trigger freed after delete on runs.waiting_writer referencing old table as gone for each statement execute function runs.devices_freed();

create function runs.connector_attached() returns trigger language plpgsql as $$
begin
  perform runs.lock_quota(new.tenant_id);
  perform runs.wake_site(c.tenant_id, c.site_id) from connectors.connector c where c.tenant_id = new.tenant_id and c.id = new.connector_id;
  return null;
end $$;
create trigger attached after insert on connectors.connector_session for each row
  when (new.state = 'attached') execute function runs.connector_attached();
create trigger attached_again after update of state on connectors.connector_session for each row
  when (new.state = 'attached' and old.state <> 'attached') execute function runs.connector_attached();
-- A session counts for a minute after it was last seen.
create trigger attached_still after update of seen_at on connectors.connector_session for each row
  when (new.state = 'attached' and old.seen_at < new.seen_at - interval '50 seconds') execute function runs.connector_attached();

create function runs.windows_changed() returns trigger language plpgsql as $$
declare t uuid;
begin
  for t in select distinct tenant_id from changed order by tenant_id loop
    perform runs.lock_quota(t);
    update runs.queue set ready = true where tenant_id = t and waits_for = 'window' and not ready;
  end loop;
  return null;
end $$;
-- Rows that fall with their window are the foreign key's work, done as the tables' owner; the window's own trigger speaks for them.
create trigger changed after delete on runs.maintenance_window referencing old table as changed for each statement execute function runs.windows_changed();
create trigger intervals_added after insert on runs.window_interval referencing new table as changed for each statement execute function runs.windows_changed();
create trigger intervals_gone after delete on runs.window_interval referencing old table as changed for each statement
  when (pg_trigger_depth() = 0) execute function runs.windows_changed();
create trigger devices_added after insert on runs.window_device referencing new table as changed for each statement execute function runs.windows_changed();
create trigger devices_gone after delete on runs.window_device referencing old table as changed for each statement
  when (pg_trigger_depth() = 0) execute function runs.windows_changed();
create function runs.window_changed() returns trigger language plpgsql as $$
begin
  perform runs.lock_quota(new.tenant_id);
  update runs.queue set ready = true where tenant_id = new.tenant_id and waits_for = 'window' and not ready;
  return null;
end $$;
create trigger changed_terms after update on runs.maintenance_window for each row
  when ((old.kind, old.selector, old.known_until) is distinct from (new.kind, new.selector, new.known_until)) execute function runs.window_changed();

-- Runs whose window may have opened look again, and those that were not looked at for long.
create function runs.reopen() returns void language sql as $$
  update runs.queue q set ready = true, look_at = null
  from (select tenant_id, run_id from runs.queue where look_at <= now() order by look_at limit 500 for update skip locked) due
  where q.tenant_id = due.tenant_id and q.run_id = due.run_id
$$;

-- What holds a queued run apart from windows and its tenant's quota. A run's own holds, kept from a lost attempt, do not. /why shows what
-- a claim goes by.
create function runs.gates(p_tenant uuid, p_run uuid)
returns table (code text, device_id uuid, name text, site_id uuid, holder uuid, readers boolean) language sql stable as $$
  select 'connector_absent', d.device_id, d.name, d.site_id, null::uuid, false
  from runs.run_device d
  where d.tenant_id = p_tenant and d.run_id = p_run and d.outcome is null and not exists (
    select from connectors.connector c join connectors.connector_session s on s.tenant_id = c.tenant_id and s.connector_id = c.id
    where c.tenant_id = d.tenant_id and c.site_id = d.site_id and s.state = 'attached' and s.seen_at > now() - interval '1 minute')
  union all
  select 'device_held', d.device_id, d.name, d.site_id, h.run_id, h.exclusive = 0
  from runs.queue q
  join runs.run_device d on d.tenant_id = q.tenant_id and d.run_id = q.run_id and d.outcome is null
  join runs.device_hold h on h.tenant_id = d.tenant_id and h.device_id = d.device_id and h.run_id <> d.run_id
  where q.tenant_id = p_tenant and q.run_id = p_run and (q.exclusive or h.exclusive = 1)
  union all
  select 'writer_waiting', d.device_id, d.name, d.site_id, w.run_id, false
  from runs.queue q
  join runs.run_device d on d.tenant_id = q.tenant_id and d.run_id = q.run_id and d.outcome is null
  cross join lateral (select w.run_id, w.queued_at from runs.waiting_writer w where w.tenant_id = d.tenant_id and w.device_id = d.device_id
                      order by w.queued_at limit 1) w
  where q.tenant_id = p_tenant and q.run_id = p_run and not q.exclusive and w.queued_at < q.created_at
$$;

-- Puts a run aside.
create function runs.put_aside(q runs.queue, p_for text, p_on uuid, p_look_at timestamptz) returns void language plpgsql as $$
begin
  update runs.queue set ready = false, waits_for = p_for, waits_on = p_on, look_at = least(p_look_at, now() + interval '5 minutes') where tenant_id = q.tenant_id and run_id = q.run_id;
  if q.waits_on is distinct from p_on then perform runs.wake_next(q.tenant_id, q.waits_for, q.waits_on); end if;
end $$;

-- Takes the next run for a worker. The tenant first: the fewest running for its weight, among those with ready runs and room. Of its ready
-- runs, by priority and then age, those that must wait are put aside until one can start, 20 at most; one call stays with one tenant, so
-- that its locks are few and always taken in this order: fence, quota, run. Without a run: the tenant looked at had none, and the caller
-- asks again without it; no row: nobody has. Raises the tenant's fence and takes the device holds in the same transaction.
drop function runs.claim(text, interval);
create function runs.claim(p_worker text, p_lease interval, p_passed uuid[])
returns table (tenant_id uuid, run_id uuid, attempt int, fence bigint, put_aside int) language plpgsql as $$
#variable_conflict use_column
declare t uuid; best uuid; q runs.queue; r record; g record; n int := 0; f bigint; seen uuid[] := '{}'; aside int := 0; look timestamptz; bars boolean;
begin
  for t in
    with recursive w (id) as (
      (select tenant_id from runs.queue where ready order by tenant_id limit 1)
      union all
      select (select tenant_id from runs.queue where ready and tenant_id > w.id order by tenant_id limit 1) from w where w.id is not null)
    select w.id from w left join runs.tenant_quota u on u.tenant_id = w.id
    where w.id is not null and w.id <> all (p_passed) and coalesce(u.running < u.max_running, true)
    order by coalesce(u.running::float / u.weight, 0), coalesce(u.served_at, '-infinity'), w.id
  loop
    best := coalesce(best, t);
    insert into runs.fence_counter (tenant_id, value) values (t, 0) on conflict (tenant_id) do nothing;
    perform from runs.fence_counter where tenant_id = t for update skip locked;
    exit when found;
    t := null;
  end loop;
  if t is null then
    if best is null then return; end if;
    t := best;
    perform from runs.fence_counter where tenant_id = t for update;
  end if;
  perform runs.lock_quota(t);

  while n < 20 and exists (select from runs.tenant_quota where tenant_id = t and running < max_running) loop
    n := n + 1;
    select * into q from runs.queue where tenant_id = t and ready and run_id <> all (seen) order by priority desc, created_at, run_id limit 1;
    exit when not found;
    seen := seen || q.run_id;
    select effect, mode, attempt, start_by <= now() and attempt = 0 as late into r from runs.run
      where tenant_id = t and id = q.run_id and state = 'queued' for update skip locked;
    continue when not found;
    select * into g from runs.gates(t, q.run_id) order by readers, device_id limit 1;
    bars := false;
    if r.late then
      perform runs.put_aside(q, 'expiry', null, null);
    elsif g.code is not null and not g.readers then
      perform runs.put_aside(q, case g.code when 'connector_absent' then 'connector' else 'device' end,
                             case g.code when 'connector_absent' then g.site_id else g.device_id end, null);
    elsif runs.outside_windows(t, q.run_id, now()) then
      select min(x) into look from (
        select starts_at from runs.window_interval where tenant_id = t and starts_at > now()
        union all select ends_at from runs.window_interval where tenant_id = t and ends_at > now()
        union all select known_until from runs.maintenance_window where tenant_id = t and known_until > now()) i (x);
      perform runs.put_aside(q, 'window', null, look);
    elsif g.code is not null then
      perform runs.put_aside(q, 'device', g.device_id, null);
      bars := true;
    else
      update runs.fence_counter set value = value + 1 where tenant_id = t returning value into f;
      update runs.tenant_quota set running = running + 1, served_at = clock_timestamp() where tenant_id = t;
      delete from runs.device_hold where tenant_id = t and run_id = q.run_id;
      insert into runs.device_hold (tenant_id, device_id, run_id, exclusive, fence)
        select t, device_id, q.run_id, q.exclusive::int, f from runs.run_device
        where tenant_id = t and run_id = q.run_id and outcome is null order by device_id;
      if q.exclusive then
        -- Who waited for readers here now waits for a writer.
        delete from runs.waiting_writer where tenant_id = t and run_id in (
          select w.run_id from runs.device_hold h join runs.waiting_writer w on w.tenant_id = h.tenant_id and w.device_id = h.device_id
          where h.tenant_id = t and h.run_id = q.run_id);
      end if;
      update runs.run set fence = f, attempt = r.attempt + 1, worker = p_worker, lease_until = now() + p_lease where tenant_id = t and id = q.run_id;
      insert into runs.attempt (tenant_id, run_id, attempt, fence, worker) values (t, q.run_id, r.attempt + 1, f, p_worker);
      perform runs.move(t, q.run_id, f, array['queued'], 'claimed', p_worker);
      return query select t, q.run_id, r.attempt + 1, f, aside;
      return;
    end if;
    aside := aside + 1;
    if bars then
      insert into runs.waiting_writer (tenant_id, device_id, run_id, queued_at)
        select t, device_id, q.run_id, q.created_at from runs.run_device where tenant_id = t and run_id = q.run_id and outcome is null
        on conflict do nothing;
    else
      delete from runs.waiting_writer where tenant_id = t and run_id = q.run_id;
    end if;
  end loop;
  return query select t, null::uuid, null::int, null::bigint, aside;
end $$;

drop index runs.run_queue;
create index run_overdue on runs.run (start_by) where state = 'queued' and attempt = 0 and start_by is not null;
insert into runs.queue (tenant_id, run_id, priority, created_at, exclusive)
  select tenant_id, id, priority, created_at, effect <> 'read' and mode = 'apply' from runs.run where state = 'queued';
