-- What was withdrawn stays withdrawn: a corrected version has a higher number.
create trigger withdrawn before update of state on catalog.block_version
  for each row when (old.state = 'withdrawn' and new.state <> 'withdrawn')
  execute function web.refuse_change('a withdrawn version stays withdrawn');
