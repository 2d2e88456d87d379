-- At commit: the record holds exactly the charges and carried amounts that point to it, and its allocations sum to its quantity.
create or replace function billing.metering_record_sum() returns trigger language plpgsql as $$
begin
  perform billing.refuse_if(
    new.sum_micros <> (
      select coalesce(sum(amount_micros), 0) from billing.metering_allocation
      where tenant_id = new.tenant_id and record_id = new.id)
    + (
      select coalesce(sum(amount_micros), 0) from billing.metering_carry
      where tenant_id = new.tenant_id and into_record_id = new.id),
    'the record''s sum is not the sum of what it holds');
  perform billing.refuse_if(
    new.quantity <> (
      select sum((a ->> 'AllocatedUsageQuantity')::bigint) from jsonb_array_elements(new.allocations::jsonb) a),
    'the allocations do not sum to the quantity');
  return null;
end $$;
drop trigger if exists sum on billing.metering_record;
create constraint trigger sum after insert on billing.metering_record deferrable initially deferred
  for each row execute function billing.metering_record_sum();
