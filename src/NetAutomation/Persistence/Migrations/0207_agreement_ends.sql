-- When its end was announced: one whose end never came is not in force for ever.
-- How often in a row, and since when, AWS listed no contract: one empty answer is no end.
alter table onboarding.agreement
  add column ending_at timestamptz,
  add column unlisted int not null default 0,
  add column unlisted_since timestamptz;
-- Who waits for something in leaving holds up no other.
alter table onboarding.tenant add column offboarding_tried_at timestamptz;
