-- The digest of a platform's newest version; null where there is no such platform.
create or replace function platforms.newest(platform text) returns text language sql stable as $$
  select digest from platforms.platform_version where name = platform order by major desc, minor desc, patch desc limit 1
$$;
