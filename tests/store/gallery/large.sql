-- A gallery of 40,000 posts by 2,000 users. The first user follows the 1,000 after them and likes half of
-- the posts; everybody follows the second and 20 others, and likes the seventy-seventh post.
insert into users (id, external_id, display_name)
select md5('user' || n)::uuid, 'user' || n, 'User ' || n from generate_series(1, 2000) as n;

insert into assets (id, user_id, asset_type, url, created_at)
select md5('asset' || n)::uuid, md5('user' || 1 + n % 2000)::uuid,
       (array['overlay', 'twitch_badge', 'twitch_emote', 'twitch_panel'])[1 + n % 4], '/media/' || n,
       '2026-01-01'::timestamptz + n * interval '1 minute'
from generate_series(1, 40000) as n;

alter table community_posts disable trigger user;

insert into community_posts (
    id, user_id, asset_id, title, asset_type, asset_url, tags, like_count, is_hidden, is_featured, created_at
)
select md5('post' || n)::uuid, assets.user_id, assets.id, 'Picture ' || n % 1000 || ' of a fox',
       assets.asset_type, assets.url, array['common' || n % 5, 'some' || n % 100, 'rare' || n % 2000],
       hashint4(n) & 255, n % 100 = 0, n % 20 = 3,
       '2026-01-01'::timestamptz + n * interval '1 minute'
from generate_series(1, 40000) as n
join assets on assets.id = md5('asset' || n)::uuid;

alter table community_posts enable trigger user;

insert into post_tags (tag, created_at, post_id, user_id, asset_type, is_hidden)
select tag, created_at, id, user_id, asset_type, is_hidden
from community_posts, unnest(tags) as tag;

insert into post_tag_pairs (pair, created_at, post_id, user_id, asset_type, is_hidden)
select pair, created_at, id, user_id, asset_type, is_hidden
from community_posts, tag_pairs(tags) as pair;

insert into post_standings (post_id, tag, user_id, asset_type, likes, is_hidden)
select id, tag, user_id, asset_type, like_count, is_hidden
from community_posts, unnest(array_prepend('', tags)) as tag;

insert into community_user_stats (user_id, post_count)
select user_id, count(*) from community_posts group by user_id
on conflict (user_id) do update set post_count = excluded.post_count;

insert into community_likes (id, post_id, user_id, created_at)
select gen_random_uuid(), md5('post' || n)::uuid, md5('user' || a)::uuid,
       '2026-01-01'::timestamptz + n * interval '1 minute' + a * interval '1 second'
from (
    select n, 2 + n % 500 as a from generate_series(1, 40000) as n
    union
    select n, 1 from generate_series(1, 40000, 2) as n
    union
    select 77, a from generate_series(1, 2000) as a
) as pair;

insert into topics (topic, seq) select 'post:' || id, 1 from community_posts;

insert into community_follows (id, follower_id, following_id, created_at)
select gen_random_uuid(), md5('user' || a)::uuid, md5('user' || b)::uuid,
       '2026-01-01'::timestamptz + (a + b) * interval '20 minutes'
from (
    select 1 as a, n as b from generate_series(2, 1001) as n
    union
    select a, 2 from generate_series(3, 2000) as a
    union
    select a, 1 + (a + step * 97) % 2000
    from generate_series(2, 2000) as a, generate_series(1, 20) as step
) as pair
where a <> b;

analyze;
