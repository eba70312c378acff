-- migrate:up

-- The tags of every post, one by one: an index that no index type gives, since posts that share a tag are
-- wanted newest first. A row has all that decides whether its post is listed, so that lists and counts
-- read indexes alone; likes and views do not touch it.
create table post_tags (
    tag text not null,
    created_at timestamptz not null,
    post_id uuid not null,
    user_id uuid not null,
    asset_type text not null,
    is_hidden boolean not null,
    primary key (tag, created_at, post_id) include (user_id, asset_type, is_hidden)
);
create index post_tags_of_type on post_tags (tag, asset_type, created_at desc, post_id desc)
    include (user_id, is_hidden);
create index post_tags_of_user on post_tags (user_id, tag, created_at desc, post_id desc)
    include (asset_type, is_hidden);

-- The same of every two tags of a post, in the order of the alphabet and with a space between: posts that
-- have both of two tags may be few although each stands nearly everywhere.
create table post_tag_pairs (
    pair text not null,
    created_at timestamptz not null,
    post_id uuid not null,
    user_id uuid not null,
    asset_type text not null,
    is_hidden boolean not null,
    primary key (pair, created_at, post_id) include (user_id, asset_type, is_hidden)
);

create function tag_pairs(tags text[]) returns setof text language sql immutable parallel safe
begin atomic
    select one.tag || ' ' || other.tag
    from unnest(tags) as one (tag)
    join unnest(tags) as other (tag) on one.tag < other.tag;
end;

-- Triggers keep them, as the database keeps an index: for whoever writes a post, from here or from elsewhere.
create function keep_post_tags() returns trigger
language plpgsql security definer set search_path = pg_catalog, public, pg_temp as $$
begin
    if tg_op <> 'INSERT' then
        delete from post_tags
        where tag = any (old.tags) and created_at = old.created_at and post_id = old.id;
        delete from post_tag_pairs
        where pair in (select tag_pairs(old.tags)) and created_at = old.created_at and post_id = old.id;
    end if;
    if tg_op <> 'DELETE' then
        insert into post_tags (tag, created_at, post_id, user_id, asset_type, is_hidden)
        select tag, new.created_at, new.id, new.user_id, new.asset_type, new.is_hidden
        from unnest(new.tags) as tag
        on conflict do nothing;
        insert into post_tag_pairs (pair, created_at, post_id, user_id, asset_type, is_hidden)
        select pair, new.created_at, new.id, new.user_id, new.asset_type, new.is_hidden
        from tag_pairs(new.tags) as pair
        on conflict do nothing;
    end if;
    return null;
end
$$;
create trigger post_tags_of_new after insert on community_posts
    for each row when (new.tags <> '{}') execute function keep_post_tags();
create trigger post_tags_of_gone after delete on community_posts
    for each row when (old.tags <> '{}') execute function keep_post_tags();
create trigger post_tags_of_changed after update of tags, is_hidden on community_posts
    for each row when (old.tags <> new.tags or old.is_hidden <> new.is_hidden)
    execute function keep_post_tags();

insert into post_tags (tag, created_at, post_id, user_id, asset_type, is_hidden)
select distinct tag, created_at, id, user_id, asset_type, is_hidden
from community_posts, unnest(tags) as tag;
insert into post_tag_pairs (pair, created_at, post_id, user_id, asset_type, is_hidden)
select distinct pair, created_at, id, user_id, asset_type, is_hidden
from community_posts, tag_pairs(tags) as pair;

create index posts_recent_of_user_and_type
    on community_posts (user_id, asset_type, created_at desc, id desc) include (is_hidden);
drop index posts_recent_of_type;
create index posts_recent_of_type on community_posts (asset_type, created_at desc, id desc)
    include (user_id, is_hidden);

select outside.close('post_tags');
select outside.close('post_tag_pairs');

-- migrate:down

drop index posts_recent_of_type;
create index posts_recent_of_type on community_posts (asset_type, created_at desc, id desc);
drop index posts_recent_of_user_and_type;
drop trigger post_tags_of_changed on community_posts;
drop trigger post_tags_of_gone on community_posts;
drop trigger post_tags_of_new on community_posts;
drop function keep_post_tags();
drop function tag_pairs(text[]);
drop table post_tag_pairs;
drop table post_tags;
