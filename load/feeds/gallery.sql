-- A gallery made of nothing but a number: whatever is drawn is a hash of the row's number and the seed, so
-- the same size and seed give the same rows. `:posts`, `:people` and the like are numbers that generator.py
-- puts in. Everything is skewed as in life: few posts have most of the likes, few creators most of the
-- followers, few words and tags stand nearly everywhere.
--
-- Person 1 is the fan: likes one post in twenty, follows 1,000 creators. Person 2 is the star: followed by
-- every second person, and the author of one post in twenty.

-- name: functions
-- How things are drawn: `u` from 0 to 1, `zipf` a rank below `most`; `word` spells a rank, `v7` makes an id.
create function pg_temp.u(n bigint, salt bigint) returns double precision
language sql immutable parallel safe
return ((hashint8extended(n, :seed * 1000 + salt) >> 11) & 9007199254740991)::double precision / 9007199254740992;

create function pg_temp.zipf(u double precision, most integer) returns integer
language sql immutable parallel safe
return floor(exp(u * ln(most)))::integer - 1;

create function pg_temp.word(rank integer) returns text
language sql immutable parallel safe
return substr(':syllables', 1 + 2 * (rank % 64), 2)
    || substr(':syllables', 1 + 2 * (rank / 64 % 64), 2)
    || case when rank >= 4096 then substr(':syllables', 1 + 2 * (rank / 4096), 2) else '' end;

create function pg_temp.v7(ms bigint, n bigint, salt integer) returns uuid
language sql immutable parallel safe
return (
    overlay(
        overlay(md5(salt || ' ' || n || ' :seed') placing lpad(to_hex(ms), 12, '0') || '7' from 1 for 13)
        placing '8' from 17 for 1
    )
)::uuid;

create function pg_temp.at(ms bigint) returns timestamptz
language sql immutable parallel safe
return timestamptz 'epoch' + ms * interval '1 millisecond';

-- name: put_aside
-- The indexes that are built faster at the end are dropped until then; references hold by construction.
set session_replication_role = replica;
set maintenance_work_mem = '512MB';
set synchronous_commit = off;

create temp table put_aside as
select 1 as place, index.indexrelid::regclass::text as name, index.indrelid::regclass::text as owner,
       pg_get_indexdef(index.indexrelid) as definition, null as kind
from pg_index as index
where index.indrelid in (
        'community_posts'::regclass, 'community_likes'::regclass, 'community_comments'::regclass,
        'community_follows'::regclass, 'assets'::regclass, 'post_tags'::regclass, 'post_tag_pairs'::regclass,
        'post_standings'::regclass
    )
    and not exists (select from pg_constraint where conindid = index.indexrelid)
union all
select 0, conname, conrelid::regclass::text, pg_get_constraintdef(oid), contype::text
from pg_constraint
where contype in ('p', 'u')
    and conrelid in (
        'community_likes'::regclass, 'post_tags'::regclass, 'post_tag_pairs'::regclass, 'post_standings'::regclass
    );

do $$
declare
    index record;
begin
    for index in select * from put_aside loop
        if index.kind is null then
            execute format('drop index %s', index.name);
        else
            execute format('alter table %s drop constraint %I', index.owner, index.name);
        end if;
    end loop;
end
$$;

-- name: people
-- Who is there.
create temp table person as
select n, md5('person ' || n || ' :seed')::uuid as id, :begins + (:span * pg_temp.u(n, 1) * 0.5)::bigint as ms
from generate_series(1, :people) as n;
alter table person add primary key (n);
analyze person;

insert into users (id, external_id, display_name, avatar_url, subscription_tier, created_at)
select id, 'generated:' || n,
       initcap(pg_temp.word((pg_temp.u(n, 2) * 20000)::integer)) || ' ' || n,
       case when n % 2 = 0 then '/media/face/' || n || '.svg' end,
       case when n % 10 = 0 then 'pro' else 'free' end, pg_temp.at(ms)
from person;

-- name: plan_posts
-- Who shares what when, and how it is received. The gallery grows: each year more is shared than the last.
create temp table post as
select
    n, ms, pg_temp.v7(ms, n, 1) as id, pg_temp.v7(ms - 60000, n, 2) as asset_id,
    case
        when pg_temp.u(n, 3) < 0.05 then 2
        else 3 + floor((:people - 2) * power(pg_temp.u(n, 4), 3))::integer
    end as author,
    (array[
        'twitch_emote', 'youtube_thumbnail', 'overlay', 'twitch_banner', 'twitch_badge', 'twitch_panel',
        'twitch_offline'
    ])[width_bucket(pg_temp.u(n, 5), array[0, 0.35, 0.6, 0.75, 0.85, 0.93, 0.98])] as asset_type,
    case
        when pg_temp.u(n, 6) < 0.1 then 0
        else least(:people / 4, floor(
            2.8 * power(:posts, 0.8) * power(4 + (n * 7368787::bigint) % :posts, -0.8)
            * (0.55 + pg_temp.u(n, 7))
        ))::integer
    end as likes,
    pg_temp.u(n, 8) < 0.05 as by_fan,
    pg_temp.u(n, 9) < 0.01 as is_hidden,
    pg_temp.u(n, 10) < 0.02 as is_featured
from (
    select n, :begins + (:span * power(n::double precision / :posts, 0.6))::bigint - 3600000 as ms
    from generate_series(1, :posts) as n
) as moment;
alter table post add primary key (n);
alter table post add column comments integer;
update post set comments = floor((likes / 5.0) * 2 * pg_temp.u(n, 11) + pg_temp.u(n, 12))::integer;
analyze post;

-- name: assets
-- What they made.
insert into assets (id, user_id, asset_type, url, prompt, created_at)
select post.asset_id, person.id, post.asset_type, '/media/art/' || post.n || '.png',
       case when post.n % 3 > 0 then 'A picture of ' || pg_temp.word(post.n % 20000) end, pg_temp.at(post.ms - 60000)
from post
join person on person.n = post.author
order by post.n;

-- name: posts
-- What they share: titles of 2 to 6 words, descriptions of 5 to 20, up to 5 tags. Some tags mean trouble for
-- whoever walks an order and waits for them: `oldest` ones, `unloved` ones, ones of `emotes-only`.
insert into community_posts (
    id, user_id, asset_id, title, description, prompt_used, show_prompt, tags, asset_type, asset_url,
    like_count, comment_count, view_count, is_featured, is_hidden, inspired_by_post_id, created_at, updated_at
)
select
    post.id, person.id, post.asset_id, title.words, description.words,
    case when post.n % 3 > 0 then 'A picture of ' || pg_temp.word(post.n % 20000) end, post.n % 4 > 0,
    tag.names, post.asset_type, '/media/art/' || post.n || '.png',
    post.likes + post.by_fan::integer, post.comments,
    floor((post.likes * 12 + 5) * (0.5 + pg_temp.u(post.n, 13)))::integer,
    post.is_featured, post.is_hidden, inspiring.id, pg_temp.at(post.ms), pg_temp.at(post.ms)
from post
join person on person.n = post.author
left join post as inspiring
    on pg_temp.u(post.n, 14) < 0.05 and inspiring.n = 1 + floor(pg_temp.u(post.n, 15) * (post.n - 1))::integer
cross join lateral (
    select left(string_agg(pg_temp.word(pg_temp.zipf(pg_temp.u(post.n * 64 + i, 16), 30000)), ' ' order by i), 100) as words
    from generate_series(1, 2 + (post.n % 5)) as i
) as title
cross join lateral (
    select string_agg(pg_temp.word(pg_temp.zipf(pg_temp.u(post.n * 64 + i, 17), 30000)), ' ' order by i) as words
    from generate_series(1, 5 + (post.n % 16)) as i
) as description
cross join lateral (
    select coalesce(array_agg(drawn.name order by drawn.i), '{}') as names
    from (
        select name, min(i) as i
        from (
            select 0 as i, 'oldest' as name where post.n < :posts / 50
            union all
            select 1, 'unloved' where post.likes <= 1 and pg_temp.u(post.n, 18) < 0.1
            union all
            select 2, 'emotes-only' where post.asset_type = 'twitch_emote' and pg_temp.u(post.n, 19) < 0.05
            union all
            select 2 + i, pg_temp.word(pg_temp.zipf(pg_temp.u(post.n * 8 + i, 20), 20000))
            from generate_series(1, floor(6 * pg_temp.u(post.n, 21))::integer) as i
        ) as tag
        group by name
        order by min(i)
        limit 5
    ) as drawn
) as tag
order by post.n;

-- name: tags
-- What triggers make of a post's tags, at once.
insert into post_tags (tag, created_at, post_id, user_id, asset_type, is_hidden)
select tag, created_at, id, user_id, asset_type, is_hidden
from community_posts, unnest(tags) as tag;

insert into post_tag_pairs (pair, created_at, post_id, user_id, asset_type, is_hidden)
select pair, created_at, id, user_id, asset_type, is_hidden
from community_posts, tag_pairs(tags) as pair;

insert into post_standings (post_id, tag, user_id, asset_type, likes, is_hidden)
select id, tag, user_id, asset_type, like_count, is_hidden
from community_posts, unnest(array_prepend('', tags)) as tag;

-- name: likes
-- Nobody likes a post twice: its likers are every so manieth of a prime number of people, from some on.
insert into community_likes (id, post_id, user_id, created_at)
select pg_temp.v7(liked.ms, liked.n, 3), liked.post_id, person.id, pg_temp.at(liked.ms)
from (
    select
        post.id as post_id, post.n::bigint * 100000 + i as n,
        post.ms + (( :ends - post.ms) * power(pg_temp.u(post.n::bigint * 100000 + i, 22), 4))::bigint as ms,
        2 + (
            floor(pg_temp.u(post.n, 23) * :prime)::bigint
            + i * (1 + floor(pg_temp.u(post.n, 24) * (:prime - 1))::bigint)
        ) % :prime as liker
    from post
    cross join lateral generate_series(1, post.likes) as i
    union all
    select post.id, post.n::bigint * 100000, post.ms + ((:ends - post.ms) * pg_temp.u(post.n, 25))::bigint, 1
    from post
    where post.by_fan
) as liked
join person on person.n = liked.liker;

-- name: comments
-- What they say: 3 to 14 words.
insert into community_comments (id, post_id, user_id, content, is_edited, created_at, updated_at)
select pg_temp.v7(said.ms, said.n, 4), said.post_id, person.id, said.words, said.n % 20 = 0,
       pg_temp.at(said.ms), pg_temp.at(said.ms)
from (
    select
        post.id as post_id, post.n::bigint * 100000 + i as n,
        post.ms + ((:ends - post.ms) * power(pg_temp.u(post.n::bigint * 100000 + i, 26), 3))::bigint as ms,
        1 + floor(pg_temp.u(post.n::bigint * 100000 + i, 27) * :people)::integer as writer,
        spoken.words
    from post
    cross join lateral generate_series(1, post.comments) as i
    cross join lateral (
        select string_agg(pg_temp.word(pg_temp.zipf(pg_temp.u((post.n::bigint * 100000 + i) * 16 + w, 28), 30000)), ' ' order by w) as words
        from generate_series(1, 3 + (i % 12)) as w
    ) as spoken
) as said
join person on person.n = said.writer;

-- name: follows
-- Half of all people follow the star, the fan follows 1,000 of the best known; others follow some.
insert into community_follows (id, follower_id, following_id, created_at)
select pg_temp.v7(follow.ms, follow.n, 5), follower.id, following.id, pg_temp.at(follow.ms)
from (
    select distinct on (pair.follower, pair.following)
        pair.follower, pair.following, pair.follower * 1000000::bigint + pair.following as n,
        :begins + (:span * (0.5 + 0.5 * pg_temp.u(pair.follower * 1000000::bigint + pair.following, 29)))::bigint as ms
    from (
        select n as follower, 2 as following from generate_series(1, :people, 2) as n
        union all
        select 1, 2 + n from generate_series(1, least(999, :people / 4)) as n
        union all
        select n, 3 + floor((:people - 2) * power(pg_temp.u(n * 64::bigint + i, 30), 3))::integer
        from generate_series(3, :people) as n
        cross join lateral generate_series(1, floor(10 * pg_temp.u(n, 31))::integer) as i
    ) as pair
    where pair.follower <> pair.following
    order by pair.follower, pair.following
) as follow
join person as follower on follower.n = follow.follower
join person as following on following.n = follow.following;

-- name: reports
-- One post in twenty is reported, by somebody who is not its author.
insert into community_reports (id, post_id, reporter_id, reason, details, status, reviewed_by, reviewed_at, created_at)
select
    pg_temp.v7(told.ms, told.n, 6), told.id, reporter.id,
    (array['spam', 'inappropriate', 'copyright', 'harassment', 'other'])[1 + told.n % 5],
    case when told.n % 2 = 0 then 'Look at this' end, told.status,
    case when told.status <> 'pending' then moderator.id end,
    case when told.status <> 'pending' then pg_temp.at(told.ms + 3600000) end, pg_temp.at(told.ms)
from (
    select post.id, post.n, post.author, post.ms + 1800000 as ms,
           (array['pending', 'reviewed', 'dismissed', 'actioned'])[
               width_bucket(pg_temp.u(post.n, 32), array[0, 0.6, 0.7, 0.9])
           ] as status
    from post
    where pg_temp.u(post.n, 33) < 0.05
) as told
join person as reporter on reporter.n = 1 + told.author % :people
join person as moderator on moderator.n = 3;

-- name: statistics
-- What everybody has made and received, counted from the rows.
insert into community_user_stats (user_id, post_count, total_likes_received, follower_count, following_count)
select person.id, coalesce(shared.posts, 0), coalesce(shared.likes, 0), coalesce(followed.count, 0), coalesce(follows.count, 0)
from person
left join (
    select user_id, count(*) as posts, sum(like_count) as likes from community_posts group by user_id
) as shared on shared.user_id = person.id
left join (
    select following_id, count(*) from community_follows group by following_id
) as followed on followed.following_id = person.id
left join (
    select follower_id, count(*) from community_follows group by follower_id
) as follows on follows.follower_id = person.id;

-- name: heads
-- Where the journal of each post would stand: everything that it had to tell is older than what is kept.
insert into topics (topic, seq)
select 'post:' || id, likes + by_fan::integer + comments
from post
where likes + by_fan::integer + comments > 0
order by id;

insert into topics (topic, seq) values ('gallery', :posts)
on conflict (topic) do update set seq = excluded.seq;

-- name: build
-- Builds what was put aside.
do $$
declare
    index record;
begin
    for index in select * from put_aside order by place, owner, name loop
        if index.kind is null then
            execute index.definition;
        else
            execute format('alter table %s add constraint %I %s', index.owner, index.name, index.definition);
        end if;
    end loop;
end
$$;

-- name: notifications
-- The star is told of the likes of every post, others of some; what is older than a month was seen.
insert into notifications (
    id, user_id, kind, subject_type, subject_id, subject_title, actors, count, seen, created_at, updated_at
)
select
    pg_temp.v7(post.ms, post.n, 7), shared.user_id, 'post_liked', 'post', post.id, shared.title,
    (
        select array_agg(user_id)
        from (
            select user_id
            from community_likes
            where post_id = post.id and user_id <> shared.user_id
            order by created_at desc
            limit 3
        ) as newest
    ),
    others.likes, post.ms < :ends - 2592000000, pg_temp.at(post.ms), pg_temp.at(post.ms + 3600000)
from post
join community_posts as shared on shared.id = post.id
cross join lateral (
    select shared.like_count - count(*) as likes
    from community_likes
    where post_id = post.id and user_id = shared.user_id
) as others
where others.likes > 0 and not post.is_hidden and (post.author = 2 or post.n % 4 = 0);

-- name: finish
-- Nothing of this stays but the rows.
reset session_replication_role;
reset maintenance_work_mem;
reset synchronous_commit;
drop table put_aside, post, person;
drop function pg_temp.u, pg_temp.zipf, pg_temp.word, pg_temp.v7, pg_temp.at;

-- name: settle
-- As after a night's upkeep: everything is frozen, counted and in its indexes.
vacuum (freeze, analyze);

-- name: traffic
-- As after a day: one post in fifty has changed since.
update community_posts set view_count = view_count + 1 where hashtext(id::text) % 50 = 0;
