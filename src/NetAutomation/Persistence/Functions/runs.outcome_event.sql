-- The data of a device_outcome event.
create or replace function runs.outcome_event(p_outcome text, p_changed boolean, p_code text, p_message text) returns jsonb
language sql stable as $$
  select jsonb_build_object('outcome', p_outcome, 'changed', p_changed, 'code', p_code, 'message', p_message)
$$;
