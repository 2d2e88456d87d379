-- Rights bought at AWS Marketplace by contract: they are AWS's to grant and to end, and nothing is charged for them here.
alter table purchasing.purchase
  drop constraint purchase_kind_check,
  add check (kind in ('pay_per_use', 'rental', 'owned', 'contract')),
  add check (kind <> 'contract' or price_micros = 0);
alter table purchasing.entitlement
  drop constraint entitlement_kind_check,
  add check (kind in ('pay_per_use', 'rental', 'owned', 'contract')),
  drop constraint entitlement_check,
  add check (case kind when 'rental' then ends_at is not null when 'contract' then true else ends_at is null end);
grant insert on purchasing.purchase, purchasing.entitlement to na_system;

-- When AWS was last asked what the payer bought; null: to be asked soon.
alter table billing.payer add contracts_at timestamptz;
