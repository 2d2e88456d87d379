create or replace function billing.invoice_guard() returns trigger language plpgsql as $$
declare derived text[] := array['previous_seq', 'number', 'live'];
begin
  perform billing.refuse_if(
    tg_op = 'DELETE' or old.state = 'void' or current_user = 'na_app', 'an issued invoice never changes; it can only be voided');
  if old.state = 'issued' then
    derived := derived || array['state', 'voided_at', 'voided_by', 'void_reason'];
    perform billing.refuse_if(
      new.state <> 'void' or to_jsonb(new) - derived is distinct from to_jsonb(old) - derived,
      'an issued invoice never changes; it can only be voided');
    perform billing.refuse_if(
      exists (select from billing.payment where tenant_id = old.tenant_id and invoice_id = old.id),
      'an invoice with payments is corrected by credit notes');
    return new;
  end if;
  perform billing.refuse_if(
    new.state <> 'issued' or (new.tenant_id, new.id, new.kind, new.currency, new.period, new.revision, new.replaces)
      is distinct from (old.tenant_id, old.id, old.kind, old.currency, old.period, old.revision, old.replaces),
    'a draft is only ever issued');
  perform billing.refuse_if(
    new.kind = 'invoice' and new.exact_micros is distinct from (
      select coalesce(sum(amount_micros), 0) from billing.invoice_line where tenant_id = new.tenant_id and invoice_id = new.id),
    'an invoice is the sum of its lines');
  return new;
end $$;
create or replace trigger guard before update or delete on billing.invoice
  for each row execute function billing.invoice_guard();
