-- Says on the device since when it has a password of its own, and one that is not proven.
create or replace function inventory.show_passwords() returns trigger language plpgsql as $$
declare
  about inventory.device_password := case tg_op when 'DELETE' then old else new end;
begin
  update inventory.device d set version = d.version + 1, password_rotated_at = p.rotated, password_pending_since = p.pending
  from (
    select max(since) filter (where not pending) as rotated, max(since) filter (where pending) as pending
    from inventory.device_password where tenant_id = about.tenant_id and device_id = about.device_id) p
  where d.tenant_id = about.tenant_id and d.id = about.device_id
    and (d.password_rotated_at, d.password_pending_since) is distinct from (p.rotated, p.pending);
  return null;
end $$;
create or replace trigger show_passwords after insert or delete or update of pending on inventory.device_password
  for each row execute function inventory.show_passwords();
