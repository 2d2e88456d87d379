-- The passwords of a device end with the credential that they belong to: from then on the one counts that the customer has given.
create or replace function inventory.forget_passwords() returns trigger language plpgsql as $$
begin
  delete from inventory.device_password where tenant_id = new.tenant_id and device_id = new.id;
  return null;
end $$;
create or replace trigger forget_passwords after update of credential_id on inventory.device for each row
  when (old.credential_id is distinct from new.credential_id) execute function inventory.forget_passwords();
