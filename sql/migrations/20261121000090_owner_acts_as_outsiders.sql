-- migrate:up

-- Whoever owns the database may try out what outsiders may, by `set role`: before PostgreSQL 16 the maker of
-- a role could do that by itself. Where somebody else has made the roles, it is theirs to give.
do $$
declare
    known text;
    options text := case when current_setting('server_version_num')::integer >= 160000
        then 'with inherit false, set true' else '' end;
begin
    for known in select rolname from pg_roles where rolname in ('anon', 'authenticated') loop
        begin
            execute format('grant %I to current_user %s', known, options);
        exception
            when insufficient_privilege then null;
        end;
    end loop;
end
$$;

-- migrate:down

-- It stays: another database on the same server may rely on it.
select;
