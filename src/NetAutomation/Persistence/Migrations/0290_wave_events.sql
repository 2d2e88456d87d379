-- What was decided of a wave of guarded changes is an event of its run.
alter table runs.run_event drop constraint run_event_type_check;
alter table runs.run_event add constraint run_event_type_check check (type in (
  'state', 'device_started', 'task', 'output', 'guard', 'wave', 'device_outcome', 'output_complete'));
