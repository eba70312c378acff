-- migrate:up

-- Where every post stands by its likes: under no tag (''), and under each of its tags. The most liked of any
-- filters are read from here, in order; `likes` follow the post's own within seconds, many at a time, so that
-- a like itself changes no index.
create table post_standings (
    post_id uuid not null,
    tag text not null,
    user_id uuid not null,
    asset_type text not null,
    likes integer not null,
    is_hidden boolean not null,
    primary key (post_id, tag)
);

-- Which transactions the standings know of. `at` is when they were last brought up to date.
create table standings_pass (
    singleton boolean primary key default true check (singleton),
    knows pg_snapshot not null,
    at timestamptz not null default now()
);

create function keep_post_standings() returns trigger
language plpgsql security definer set search_path = pg_catalog, public, pg_temp as $$
begin
    if tg_op <> 'INSERT' then
        delete from post_standings where post_id = old.id;
    end if;
    if tg_op <> 'DELETE' then
        insert into post_standings (post_id, tag, user_id, asset_type, likes, is_hidden)
        select new.id, tag, new.user_id, new.asset_type, new.like_count, new.is_hidden
        from unnest(array_prepend('', new.tags)) as tag
        on conflict do nothing;
    end if;
    return null;
end
$$;
create trigger post_standings_of_new after insert or delete on community_posts
    for each row execute function keep_post_standings();
create trigger post_standings_of_changed after update of tags, is_hidden on community_posts
    for each row when (old.tags <> new.tags or old.is_hidden <> new.is_hidden)
    execute function keep_post_standings();

insert into standings_pass (knows) values (pg_current_snapshot());
insert into post_standings (post_id, tag, user_id, asset_type, likes, is_hidden)
select distinct id, tag, user_id, asset_type, like_count, is_hidden
from community_posts, unnest(array_prepend('', tags)) as tag;

create index standings_by_tag on post_standings (tag, asset_type, likes desc, post_id desc)
    include (user_id, is_hidden);
create index standings_by_user on post_standings (user_id, tag, asset_type, likes desc, post_id desc)
    include (is_hidden);
drop index posts_most_liked_of_type;

-- Which ranks of a snapshot the posts of an author (`user …`) or with a tag (`tag …`) have: each as a place, which
-- is eight times the rank and the number of the asset type, so that a type is left out without a look at the post.
create table trending_lists (
    snapshot_id uuid not null references trending_snapshots on delete cascade,
    key text not null,
    places integer[] not null,
    primary key (snapshot_id, key)
);

create function asset_type_number(asset_type text) returns integer
language sql immutable parallel safe
return coalesce(array_position(array[
    'twitch_emote', 'youtube_thumbnail', 'twitch_banner', 'twitch_badge', 'overlay', 'twitch_panel',
    'twitch_offline'
], asset_type), 0);

insert into trending_lists (snapshot_id, key, places)
select entry.snapshot_id, named.key,
       array_agg(entry.rank * 8 + asset_type_number(entry.asset_type) order by entry.rank)
from trending_entries as entry
join community_posts as post on post.id = entry.post_id
cross join lateral (
    select 'user ' || post.user_id as key
    union all
    select 'tag ' || tag from unnest(post.tags) as tag
) as named
group by entry.snapshot_id, named.key;

select outside.close('post_standings');
select outside.close('standings_pass');
select outside.close('trending_lists');

-- migrate:down

create index posts_most_liked_of_type on community_posts (asset_type, like_count desc, id desc)
    include (user_id, is_hidden);
drop function asset_type_number(text);
drop table trending_lists;
drop trigger post_standings_of_changed on community_posts;
drop trigger post_standings_of_new on community_posts;
drop function keep_post_standings();
drop table standings_pass;
drop table post_standings;
