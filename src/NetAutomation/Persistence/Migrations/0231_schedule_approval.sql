-- A schedule that the change policy asks an approval for starts nothing without it.
alter table scheduling.schedule
  add approval text check (approval in ('awaiting_approval', 'approved', 'refused')),
  add decided_by uuid,
  add reason text,
  add check (coalesce(approval, 'awaiting_approval') = 'awaiting_approval' or decided_by is not null),
  add constraint schedule_of_another check (decided_by <> created_by);
