-- Time: schedules and their occurrences, maintenance windows, and the tables of Quartz.
create schema scheduling;
grant usage on schema scheduling to na_app, na_system;

create table scheduling.schedule (
  tenant_id uuid not null references onboarding.tenant (tenant_id),
  id uuid not null,
  name text not null check (length(name) between 1 and 128),
  cron text,
  rrule text,
  anchor timestamp not null,
  time_zone text not null,
  run jsonb not null,
  misfire text not null check (misfire in ('skip', 'once')),
  overlap text not null check (overlap in ('skip', 'queue')),
  enabled boolean not null,
  next_at timestamptz,
  created_by uuid not null,
  member text not null,
  version int not null default 1,
  created_at timestamptz not null default now(),
  primary key (tenant_id, id),
  constraint schedule_name unique (tenant_id, name),
  check (num_nonnulls(cron, rrule) = 1)
);
create index schedule_due on scheduling.schedule (next_at) where enabled;
call platform.tenant_table('scheduling.schedule', 'select, insert, update, delete', 'select');

-- The key is what makes an occurrence happen once, whoever finds it due and however often.
create table scheduling.occurrence (
  tenant_id uuid not null,
  schedule_id uuid not null,
  at timestamptz not null,
  state text not null check (state in ('due', 'started', 'skipped', 'refused')),
  code text,
  detail text,
  run_id uuid,
  found_at timestamptz not null default now(),
  primary key (tenant_id, schedule_id, at),
  check ((state = 'started') = (run_id is not null)),
  foreign key (tenant_id, schedule_id) references scheduling.schedule (tenant_id, id) on delete cascade,
  foreign key (tenant_id, run_id) references runs.run (tenant_id, id) deferrable initially deferred
);
create index occurrence_due on scheduling.occurrence (at) where state = 'due';
call platform.tenant_table('scheduling.occurrence', 'select, insert, update, delete', 'select');

-- An occurrence starts one run, even where its own row is lost. No key to the schedule: history outlives it.
create unique index run_occurrence on runs.run (tenant_id, schedule_id, occurrence) where schedule_id is not null;

create table runs.maintenance_window (
  tenant_id uuid not null references onboarding.tenant (tenant_id),
  id uuid not null,
  name text not null check (length(name) between 1 and 128),
  kind text not null check (kind in ('allow', 'deny')),
  cron text,
  rrule text,
  anchor timestamp not null,
  time_zone text not null,
  minutes int not null check (minutes between 1 and 10080),
  selector text,
  version int not null default 1,
  created_at timestamptz not null default now(),
  known_until timestamptz not null default '-infinity',
  refreshed_at timestamptz not null default '-infinity',
  primary key (tenant_id, id),
  constraint window_name unique (tenant_id, name),
  check (num_nonnulls(cron, rrule) = 1)
);
call platform.tenant_table('runs.maintenance_window', 'select, insert, update, delete', 'select');

-- A window's intervals some days ahead, and the devices its selector selects: what a claim can see.
create table runs.window_interval (
  tenant_id uuid not null,
  window_id uuid not null,
  starts_at timestamptz not null,
  ends_at timestamptz not null check (ends_at > starts_at),
  primary key (tenant_id, window_id, starts_at),
  foreign key (tenant_id, window_id) references runs.maintenance_window (tenant_id, id) on delete cascade
);
call platform.tenant_table('runs.window_interval', 'select, insert, delete', 'select');
create table runs.window_device (
  tenant_id uuid not null,
  window_id uuid not null,
  device_id uuid not null,
  primary key (tenant_id, window_id, device_id),
  foreign key (tenant_id, window_id) references runs.maintenance_window (tenant_id, id) on delete cascade
);
call platform.tenant_table('runs.window_device', 'select, insert, delete', 'select');

-- True where a device the run has left is in a deny window, or outside every allow window that applies to it. A deny window whose
-- intervals are not known denies.
create function runs.outside_windows(p_tenant uuid, p_run uuid, p_at timestamptz) returns boolean language plpgsql stable as $$
begin
  if not exists (select from runs.maintenance_window where tenant_id = p_tenant) then return false; end if;
  return exists (
    select from runs.run_device d
    cross join lateral (
      select count(*) filter (where w.kind = 'deny' and (o.open or w.known_until <= p_at)) as denied, count(*) filter (where w.kind = 'allow') as allows,
        count(*) filter (where w.kind = 'allow' and o.open) as allowed
      from runs.maintenance_window w
      cross join lateral (select exists (
        select from runs.window_interval i
        where i.tenant_id = w.tenant_id and i.window_id = w.id and i.starts_at <= p_at and i.ends_at > p_at) as open) o
      where w.tenant_id = d.tenant_id and (w.selector is null or exists (
        select from runs.window_device x where x.tenant_id = w.tenant_id and x.window_id = w.id and x.device_id = d.device_id))) g
    where d.tenant_id = p_tenant and d.run_id = p_run and d.outcome is null and (g.denied > 0 or (g.allows > 0 and g.allowed = 0)));
end $$;

-- Takes the next run for a worker: the tenant with the fewest running for its weight first, then priority, then age. Raises the tenant's
-- fence and takes the device holds in the same transaction. Runs that wait for a device, a connector, a window or their tenant's quota are
-- passed over, so that they hold up nobody; who takes a device in the meantime is settled by the keys of device_hold.
create function runs.claim(p_worker text, p_lease interval) returns table (tenant_id uuid, run_id uuid, attempt int, fence bigint)
language plpgsql as $$
#variable_conflict use_column
declare r record; f bigint;
begin
  for r in
    select q.tenant_id, q.id, q.effect, q.mode, q.attempt from runs.run q left join runs.tenant_quota t on t.tenant_id = q.tenant_id
    where q.state = 'queued' and (q.start_by is null or q.start_by > now())
      and not exists (select from runs.run_device d where d.tenant_id = q.tenant_id and d.run_id = q.id and not exists (
        select from connectors.connector_session s join connectors.connector c on c.tenant_id = s.tenant_id and c.id = s.connector_id
        where s.tenant_id = d.tenant_id and c.site_id = d.site_id and s.state = 'attached'))
      and coalesce(t.running < t.max_running, true)
      and not exists (
        select from runs.run_device d join runs.device_hold h on h.tenant_id = d.tenant_id and h.device_id = d.device_id
        where d.tenant_id = q.tenant_id and d.run_id = q.id and d.outcome is null
          and (h.exclusive = 1 or not (q.effect = 'read' or q.mode = 'check')))
      and not runs.outside_windows(q.tenant_id, q.id, now())
    order by coalesce(t.running, 0)::float / coalesce(t.weight, 1), q.priority desc, q.created_at
    limit 20 for update of q skip locked
  loop
    begin
      insert into runs.tenant_quota (tenant_id, running) values (r.tenant_id, 1)
        on conflict (tenant_id) do update set running = tenant_quota.running + 1;
      insert into runs.fence_counter as c (tenant_id, value) values (r.tenant_id, 1)
        on conflict (tenant_id) do update set value = c.value + 1 returning value into f;
      insert into runs.device_hold (tenant_id, device_id, run_id, exclusive, fence)
        select d.tenant_id, d.device_id, d.run_id, case when r.effect = 'read' or r.mode = 'check' then 0 else 1 end, f
        from runs.run_device d where d.tenant_id = r.tenant_id and d.run_id = r.id and d.outcome is null order by d.device_id;
      update runs.run set fence = f, attempt = r.attempt + 1, worker = p_worker, lease_until = now() + p_lease
        where tenant_id = r.tenant_id and id = r.id;
      insert into runs.attempt (tenant_id, run_id, attempt, fence, worker) values (r.tenant_id, r.id, r.attempt + 1, f, p_worker);
      perform runs.move(r.tenant_id, r.id, f, array['queued'], 'claimed', p_worker);
      return query select r.tenant_id, r.id, r.attempt + 1, f;
      return;
    exception when exclusion_violation or unique_violation or check_violation then
      continue;
    end;
  end loop;
end $$;

-- The tables of Quartz 4.7 under its own names, as the package's create_postgres.sql has them.
create schema quartz;
grant usage on schema quartz to na_system;
create table quartz.qrtz_job_details (
  sched_name text not null,
  job_name text not null,
  job_group text not null,
  description text null,
  job_class_name text not null,
  is_durable bool not null,
  is_nonconcurrent bool not null,
  is_update_data bool not null,
  requests_recovery bool not null,
  job_data bytea null,
  primary key (sched_name,job_name,job_group)
);
create table quartz.qrtz_triggers (
  sched_name text not null,
  trigger_name text not null,
  trigger_group text not null,
  job_name text not null,
  job_group text not null,
  description text null,
  next_fire_time bigint null,
  prev_fire_time bigint null,
  priority integer null,
  trigger_state text not null,
  trigger_type text not null,
  start_time bigint not null,
  end_time bigint null,
  calendar_name text null,
  misfire_instr smallint null,
  misfire_orig_fire_time bigint null,
  execution_group varchar(200) null,
  preferred_node varchar(200) null,
  preferred_node_auto bool not null default false,
  retry_policy varchar(250) null,
  retry_attempt integer null,
  continues_trigger_name text null,
  continues_trigger_group text null,
  continuation_condition integer null,
  overlap_policy integer null,
  pause_reason varchar(250) null,
  paused_by varchar(200) null,
  paused_at bigint null,
  misfire_threshold bigint null,
  fixed_delay bool null,
  job_data bytea null,
  primary key (sched_name,trigger_name,trigger_group),
  foreign key (sched_name,job_name,job_group) references quartz.qrtz_job_details (sched_name,job_name,job_group)
);
create table quartz.qrtz_simple_triggers (
  sched_name text not null,
  trigger_name text not null,
  trigger_group text not null,
  repeat_count bigint not null,
  repeat_interval bigint not null,
  times_triggered bigint not null,
  primary key (sched_name,trigger_name,trigger_group),
  foreign key (sched_name,trigger_name,trigger_group) references quartz.qrtz_triggers (sched_name,trigger_name,trigger_group) on delete cascade
);
create table quartz.qrtz_cron_triggers (
  sched_name text not null,
  trigger_name text not null,
  trigger_group text not null,
  cron_expression text not null,
  time_zone_id text,
  primary key (sched_name,trigger_name,trigger_group),
  foreign key (sched_name,trigger_name,trigger_group) references quartz.qrtz_triggers (sched_name,trigger_name,trigger_group) on delete cascade
);
create table quartz.qrtz_simprop_triggers (
  sched_name text not null,
  trigger_name text not null,
  trigger_group text not null,
  str_prop_1 text null,
  str_prop_2 text null,
  str_prop_3 text null,
  int_prop_1 integer null,
  int_prop_2 integer null,
  long_prop_1 bigint null,
  long_prop_2 bigint null,
  dec_prop_1 numeric null,
  dec_prop_2 numeric null,
  bool_prop_1 bool null,
  bool_prop_2 bool null,
  time_zone_id text null,
  primary key (sched_name,trigger_name,trigger_group),
  foreign key (sched_name,trigger_name,trigger_group) references quartz.qrtz_triggers (sched_name,trigger_name,trigger_group) on delete cascade
);
create table quartz.qrtz_blob_triggers (
  sched_name text not null,
  trigger_name text not null,
  trigger_group text not null,
  blob_data bytea null,
  primary key (sched_name,trigger_name,trigger_group),
  foreign key (sched_name,trigger_name,trigger_group) references quartz.qrtz_triggers (sched_name,trigger_name,trigger_group) on delete cascade
);
create table quartz.qrtz_calendars (
  sched_name text not null,
  calendar_name text not null,
  calendar bytea not null,
  primary key (sched_name,calendar_name)
);
create table quartz.qrtz_paused_trigger_grps (
  sched_name text not null,
  trigger_group text not null,
  pause_reason varchar(250) null,
  paused_by varchar(200) null,
  paused_at bigint null,
  primary key (sched_name,trigger_group)
);
create table quartz.qrtz_paused_job_grps (
  sched_name text not null,
  job_group text not null,
  pause_reason varchar(250) null,
  paused_by varchar(200) null,
  paused_at bigint null,
  primary key (sched_name,job_group)
);
create table quartz.qrtz_fired_triggers (
  sched_name text not null,
  entry_id text not null,
  trigger_name text not null,
  trigger_group text not null,
  instance_name text not null,
  fired_time bigint not null,
  sched_time bigint not null,
  priority integer not null,
  state text not null,
  job_name text null,
  job_group text null,
  is_nonconcurrent bool not null,
  requests_recovery bool null,
  execution_group varchar(200) null,
  progress integer null,
  progress_message varchar(250) null,
  interrupt_requested_time bigint null,
  primary key (sched_name,entry_id)
);
create table quartz.qrtz_scheduler_state (
  sched_name text not null,
  instance_name text not null,
  last_checkin_time bigint not null,
  checkin_interval bigint not null,
  quartz_version varchar(20) null,
  primary key (sched_name,instance_name)
);
create table quartz.qrtz_locks (
  sched_name text not null,
  lock_name text not null,
  primary key (sched_name,lock_name)
);
create table quartz.qrtz_execution_history (
  sched_name text not null,
  entry_id text not null,
  instance_name text not null,
  job_name text not null,
  job_group text not null,
  trigger_name text not null,
  trigger_group text not null,
  fired_time bigint not null,
  run_time bigint not null,
  succeeded bool not null,
  error_message text null,
  retry_attempt integer not null default 0,
  retry_scheduled bool not null default false,
  execution_log text null,
  result integer null,
  summary text null,
  metrics text null,
  manual bool null,
  fire_instance_id text null,
  job_input text null,
  job_input_too_large bool null,
  primary key (sched_name,entry_id)
);
create table quartz.qrtz_misfire_history (
  sched_name text not null,
  entry_id text not null,
  instance_name text not null,
  trigger_name text not null,
  trigger_group text not null,
  job_name text null,
  job_group text null,
  misfire_time bigint not null,
  sched_time bigint null,
  reason integer null,
  primary key (sched_name,entry_id)
);
create table quartz.qrtz_job_status (
  sched_name text not null,
  job_group text not null,
  job_name text not null,
  first_fired_time bigint not null,
  last_fired_time bigint not null,
  last_result integer not null,
  last_run_time bigint not null,
  last_instance_name text not null,
  last_entry_id text null,
  last_summary text null,
  last_success_time bigint null,
  last_failure_time bigint null,
  last_failure_message text null,
  consecutive_failures integer not null default 0,
  run_count bigint not null default 0,
  failure_count bigint not null default 0,
  primary key (sched_name,job_group,job_name)
);
create index idx_qrtz_j_g_n on quartz.qrtz_job_details (sched_name, job_group, job_name);
create index idx_qrtz_t_j on quartz.qrtz_triggers (sched_name, job_name, job_group);
create index idx_qrtz_t_g_n on quartz.qrtz_triggers (sched_name, trigger_group, trigger_name);
create index idx_qrtz_t_c on quartz.qrtz_triggers (sched_name, calendar_name);
create index idx_qrtz_t_nft_st on quartz.qrtz_triggers (sched_name, trigger_state, next_fire_time asc, priority desc, misfire_instr);
create index idx_qrtz_ft_inst_job_req_rcvry on quartz.qrtz_fired_triggers (sched_name, instance_name, requests_recovery);
create index idx_qrtz_ft_j_g on quartz.qrtz_fired_triggers (sched_name, job_name, job_group);
create index idx_qrtz_ft_t_g on quartz.qrtz_fired_triggers (sched_name, trigger_name, trigger_group);
create index idx_qrtz_eh_fired_time on quartz.qrtz_execution_history (sched_name, fired_time);
create index idx_qrtz_eh_inst on quartz.qrtz_execution_history (sched_name, instance_name);
create index idx_qrtz_mh_misfire_time on quartz.qrtz_misfire_history (sched_name, misfire_time);
create index idx_qrtz_mh_inst on quartz.qrtz_misfire_history (sched_name, instance_name);
create index idx_qrtz_eh_job_time on quartz.qrtz_execution_history (sched_name, job_group, job_name, fired_time);
create index idx_qrtz_eh_fire_inst on quartz.qrtz_execution_history (sched_name, fire_instance_id);
create index idx_qrtz_eh_trig_time on quartz.qrtz_execution_history (sched_name, trigger_group, trigger_name, fired_time);
grant select, insert, update, delete on all tables in schema quartz to na_system;
