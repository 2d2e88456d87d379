-- Changes that go back by themselves unless they are confirmed.
alter table runs.run_device drop constraint run_device_phase_check, drop constraint run_device_outcome_check;
alter table runs.run_device
  add constraint run_device_phase_check check (phase in ('waiting', 'connecting', 'running', 'reverting', 'done')),
  add constraint run_device_outcome_check check (outcome in (
    'ok', 'changed', 'reverted', 'failed', 'unreachable', 'not_started', 'unknown')),
  -- Whether the device goes back by itself, whatever is cut, or is put back.
  add guard text check (guard in ('hard', 'soft')),
  -- From when on the text before is kept, and a change may be under way; before_hash and after_hash are then of what was and of what is
  -- to be confirmed, until the outcome has its own.
  add kept_at timestamptz,
  add confirms boolean not null default false,
  -- When it has gone back by itself at the latest.
  add reverts_at timestamptz;

-- As it was asked for, with the versions and the waves that were made of it.
alter table runs.run add guard jsonb;

alter table runs.run_event drop constraint run_event_type_check;
alter table runs.run_event add constraint run_event_type_check check (type in (
  'state', 'device_started', 'task', 'output', 'guard', 'device_outcome', 'output_complete'));
