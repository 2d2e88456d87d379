-- Whether the admin that a key is asked for is to be made.
alter table onboarding.operator_request add new_member boolean not null default false,
  add check (not new_member or deed = 'issue_key');

-- Who claims an account, by id and by the name then, as in every other record.
alter table onboarding.account_challenge rename requested_by to member;
alter table onboarding.account_challenge add requested_by text;
