-- migrate:up

-- What is written from outside is noted, and settled by the gateway: counters, notifications, the journal.
-- The triggers are there for every session but the gateway's own, which settles what it writes itself. They lock
-- no row that the gateway locks.
create function outside.note_likes() returns trigger
language plpgsql security definer set search_path = pg_catalog, public, pg_temp as $$
begin
    insert into outside.writes (noun, deed, row_id, user_id, parent_id, made_at, actor_id)
    select 'like', tg_argv[0], id, user_id, post_id, created_at, actor
    from written, outside.user_id() as actor;
    return null;
end
$$;

create function outside.note_comments() returns trigger
language plpgsql security definer set search_path = pg_catalog, public, pg_temp as $$
begin
    insert into outside.writes (noun, deed, row_id, user_id, parent_id, made_at, actor_id)
    select 'comment', tg_argv[0], id, user_id, post_id, created_at, actor
    from written, outside.user_id() as actor;
    return null;
end
$$;

create function outside.note_follows() returns trigger
language plpgsql security definer set search_path = pg_catalog, public, pg_temp as $$
begin
    insert into outside.writes (noun, deed, row_id, user_id, parent_id, made_at, actor_id)
    select 'follow', tg_argv[0], id, follower_id, following_id, created_at, actor
    from written, outside.user_id() as actor;
    return null;
end
$$;

create function outside.note_posts() returns trigger
language plpgsql security definer set search_path = pg_catalog, public, pg_temp as $$
begin
    insert into outside.writes (noun, deed, row_id, user_id, parent_id, made_at, actor_id, was)
    select 'post', tg_argv[0], id, user_id, inspired_by_post_id, created_at, actor,
           json_build_object('like_count', like_count, 'is_hidden', is_hidden)
    from written, outside.user_id() as actor;
    return null;
end
$$;

-- A change is noted row by row: a trigger for a statement cannot be for some columns alone, and would copy
-- every post that is counted.
create function outside.note_change() returns trigger
language plpgsql security definer set search_path = pg_catalog, public, pg_temp as $$
begin
    insert into outside.writes (noun, deed, row_id, user_id, parent_id, made_at, actor_id)
    values (
        tg_argv[0], 'changed', new.id, new.user_id,
        (to_jsonb(new) ->> tg_argv[1])::uuid, new.created_at, outside.user_id()
    );
    return null;
end
$$;

do $$
declare
    noun text;
    table_name text;
    deed text;
    operation text;
    rows text;
    by_others constant text := 'current_setting(''vernissage.gateway'', true) is distinct from ''on'' '
        'or not has_table_privilege(''outside.writes''::regclass, ''insert'')';
begin
    foreach noun in array array['likes', 'comments', 'follows', 'posts'] loop
        table_name := 'community_' || noun;
        for deed, operation, rows in values ('made', 'insert', 'new'), ('gone', 'delete', 'old') loop
            execute format(
                'create trigger note_%s after %s on %I referencing %s table as written '
                'for each statement when (%s) execute function outside.note_%s(%L)',
                deed, operation, table_name, rows, by_others, noun, deed
            );
        end loop;
    end loop;
    execute format(
        'create trigger note_changed after update of title, description, tags, show_prompt '
        'on community_posts for each row when (('
        'row(old.title, old.description, old.tags, old.show_prompt) '
        'is distinct from row(new.title, new.description, new.tags, new.show_prompt)) and (%s)) '
        'execute function outside.note_change(''post'', ''inspired_by_post_id'')',
        by_others
    );
    execute format(
        'create trigger note_changed after update of content on community_comments for each row '
        'when ((old.content is distinct from new.content) and (%s)) '
        'execute function outside.note_change(''comment'', ''post_id'')',
        by_others
    );
end
$$;

-- Every user has statistics from the beginning: what is counted of a post that came from outside has its place.
insert into community_user_stats (user_id)
select id from users
on conflict do nothing;

create function outside.begin_statistics() returns trigger
language plpgsql security definer set search_path = pg_catalog, public, pg_temp as $$
begin
    insert into community_user_stats (user_id)
    select id from made order by id
    on conflict do nothing;
    return null;
end
$$;

create trigger begin_statistics after insert on users referencing new table as made
for each statement execute function outside.begin_statistics();

-- migrate:down

drop trigger begin_statistics on users;
drop function outside.begin_statistics;
drop function outside.note_change cascade;
drop function outside.note_posts cascade;
drop function outside.note_follows cascade;
drop function outside.note_comments cascade;
drop function outside.note_likes cascade;
