create or replace function billing.payment_guard() returns trigger language plpgsql as $$
declare i billing.invoice;
begin
  -- The lock holds off a void and other payments, so that their sum is seen.
  select * into i from billing.invoice where tenant_id = new.tenant_id and id = new.invoice_id for no key update;
  if i.kind is distinct from 'invoice' or i.state <> 'issued' or i.currency <> new.currency
     or i.total_micros < new.amount_micros + (
       select coalesce(sum(amount_micros), 0) from billing.payment
       where tenant_id = new.tenant_id and invoice_id = new.invoice_id) then
    raise exception 'a payment is for an issued invoice, and not above what is owed' using errcode = 'check_violation';
  end if;
  return new;
end $$;
create or replace trigger guard before insert on billing.payment for each row execute function billing.payment_guard();
