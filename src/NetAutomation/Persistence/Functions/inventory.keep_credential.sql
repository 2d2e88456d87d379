-- A credential that a schedule's input names, or the input of a run that has not ended, stays. Inputs name it by its text form (Ids.cs).
create or replace function inventory.keep_credential() returns trigger language plpgsql as $$
declare
  bits bit varying := B'00' || ('x' || replace(old.id::text, '-', ''))::bit(128);
  named text;
  used jsonpath;
begin
  select 'cre_' || string_agg(
      substr('0123456789abcdefghjkmnpqrstvwxyz', 1 + substring(bits from 5 * i + 1 for 5)::bit(5)::int, 1), '' order by i)
    into named from generate_series(0, 25) i;
  used := format('$.**.credentialId ? (@ == "%s")', named)::jsonpath;
  if exists (select from scheduling.schedule s where s.tenant_id = old.tenant_id and s.run @? used)
    or exists (select from runs.run r where r.tenant_id = old.tenant_id and not r.terminal and r.input @? used) then
    raise exception 'an input names the credential' using errcode = 'restrict_violation';
  end if;
  return old;
end $$;
create or replace trigger keep_credential before delete on inventory.credential
  for each row execute function inventory.keep_credential();
