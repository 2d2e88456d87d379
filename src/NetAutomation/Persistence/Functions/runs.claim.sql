-- Takes the next run for a worker. The tenant first: the fewest running for its weight, among those with ready runs and room; among 64 of
-- them, where there are more. Of its ready runs, by priority and then age, those that must wait are put aside until one can start, 20 at
-- most; one call stays with one tenant, so that its locks are few and always taken in this order: fence, quota, run. A row
-- without a run: this tenant had none, and the caller asks again without it. No row: no tenant has one. Raises the tenant's fence and takes
-- the device holds in the same transaction. The last free place of a worker (p_last) is for tenants with nothing running and for runs that
-- end soon: long runs of one tenant never take all places. A run that has not begun waits while the month's output is used up.
-- Before all this, what a lost attempt has begun is looked at, whatever its tenant has running and whatever the windows say.
create or replace function runs.claim(p_worker text, p_lease interval, p_passed uuid[], p_last boolean default false)
returns table (tenant_id uuid, run_id uuid, attempt int, fence bigint, put_aside int) language plpgsql as $$
#variable_conflict use_column
declare
  many int; t uuid; best uuid; q runs.queue; r record; g record; n int := 0; f bigint; seen uuid[] := '{}'; aside int := 0;
  short boolean; used_up boolean; urgent boolean := false; mine uuid[];
  look timestamptz; bars boolean;
begin
  for t in
    select w.tenant_id from runs.queue w where w.ready and w.looks and w.tenant_id <> all (p_passed)
    group by w.tenant_id order by min(w.created_at)
  loop
    perform from runs.fence_counter where tenant_id = t for update skip locked;
    urgent := found;
    exit when urgent;
  end loop;
  if not urgent then t := null; end if;
  foreach many in array array[64, 2147483647] loop
    exit when urgent;
    for t in
      select w.id from runs.ready_tenants(floor(random() * 4294967296 - 2147483648)::int, many) w (id)
      left join runs.tenant_quota u on u.tenant_id = w.id
      where w.id <> all (p_passed) and coalesce(u.running < u.max_running, true)
        and (not p_last or coalesce(u.running, 0) = 0
          or exists (select from runs.queue s where s.tenant_id = w.id and s.ready and not s.long))
      order by coalesce(u.running::float / u.weight, 0), coalesce(u.served_at, '-infinity'), w.id
    loop
      best := coalesce(best, t);
      insert into runs.fence_counter (tenant_id, value) values (t, 0) on conflict (tenant_id) do nothing;
      perform from runs.fence_counter where tenant_id = t for update skip locked;
      exit when found;
      t := null;
    end loop;
    exit when best is not null;
  end loop;
  if t is null then
    if best is null then return; end if;
    t := best;
    perform from runs.fence_counter where tenant_id = t for update;
  end if;
  perform runs.lock_quota(t);
  short := p_last and exists (select from runs.tenant_quota where tenant_id = t and running > 0);
  used_up := runs.output_used_up(t);

  while n < 20 and (urgent or exists (select from runs.tenant_quota where tenant_id = t and running < max_running)) loop
    n := n + 1;
    if urgent then
      select * into q from runs.queue where tenant_id = t and ready and looks and run_id <> all (seen)
        order by created_at, run_id limit 1;
    elsif short then
      select * into q from runs.queue where tenant_id = t and ready and not long and run_id <> all (seen)
        order by priority desc, created_at, run_id limit 1;
    else
      select * into q from runs.queue where tenant_id = t and ready and run_id <> all (seen)
        order by priority desc, created_at, run_id limit 1;
    end if;
    exit when not found;
    seen := seen || q.run_id;
    select effect, mode, attempt, start_by <= now() and attempt = 0 as late into r from runs.run
      where tenant_id = t and id = q.run_id and state = 'queued' for update skip locked;
    continue when not found;
    select * into g from runs.gates(t, q.run_id) order by readers, device_id limit 1;
    bars := false;
    if r.late then
      perform runs.put_aside(q, 'expiry', null, null);
    elsif used_up and r.attempt = 0 then
      perform runs.put_aside(q, 'output', null, null);
    elsif g.code is not null and not g.readers then
      perform runs.put_aside(q, case g.code when 'connector_absent' then 'connector' else 'device' end,
                             case g.code when 'connector_absent' then g.site_id else g.device_id end, null);
    elsif not q.looks and (runs.outside_windows(t, q.run_id, now())
      -- Which windows hold a device that changed is not known before they have looked at it.
      or (exists (select from runs.maintenance_window where tenant_id = t and selector is not null)
        and exists (select from runs.run_device d join runs.relabelled_device l on l.tenant_id = t and l.device_id = d.device_id
                    where d.tenant_id = t and d.run_id = q.run_id and d.outcome is null))) then
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
      if not q.looks then
        update runs.tenant_quota set running = running + 1, served_at = clock_timestamp() where tenant_id = t;
      end if;
      mine := array(select device_id from runs.due_devices(t, q.run_id) where due or not looks order by device_id);
      -- Devices that a lost attempt left unknown, or that are not looked at yet, stay held as they are.
      delete from runs.device_hold where tenant_id = t and run_id = q.run_id and device_id = any (mine);
      insert into runs.device_hold (tenant_id, device_id, run_id, exclusive, fence)
        select t, d, q.run_id, q.exclusive::int, f from unnest(mine) with ordinality as m (d, n) order by n;
      if q.exclusive then
        -- Writers that waited for readers here now wait for a writer.
        delete from runs.waiting_writer where tenant_id = t and run_id in (
          select w.run_id from runs.device_hold h join runs.waiting_writer w on w.tenant_id = h.tenant_id and w.device_id = h.device_id
          where h.tenant_id = t and h.run_id = q.run_id);
      end if;
      update runs.run set fence = f, attempt = r.attempt + 1, worker = p_worker, lease_until = now() + p_lease
        where tenant_id = t and id = q.run_id;
      insert into runs.attempt (tenant_id, run_id, attempt, fence, worker, looks)
        values (t, q.run_id, r.attempt + 1, f, p_worker, q.looks);
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
