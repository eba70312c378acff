-- Whom and what the lists of a generated gallery are asked of.

-- name: viewers
-- The fan, the star, and people who are like others.
(select id from users order by external_id <> 'generated:1', external_id <> 'generated:2' limit 2)
union all
(select id from users where external_id like 'generated:%7' order by external_id limit 198)

-- name: creators
-- Those with the most posts, and others.
(select user_id as id from community_user_stats order by post_count desc, user_id limit 20)
union all
(select user_id as id from community_user_stats where post_count between 1 and 20 order by user_id limit 180)

-- name: posts
-- Those with the most likes, and others.
(select id from community_posts where not is_hidden order by like_count desc, id limit 50)
union all
(select id from community_posts where not is_hidden and like_count between 1 and 100 order by created_at limit 150)

-- name: tags
-- Some that stand nearly everywhere, those that mean trouble, and ever rarer ones.
with counted as (
    select name, count(*) as posts, row_number() over (order by count(*) desc, name) as place
    from community_posts, unnest(tags) as name
    group by name
)
select name
from counted
where name in ('oldest', 'unloved', 'emotes-only')
    or place in (1, 2, 3, 5, 8, 13, 21, 34, 55, 89, 144, 233, 377, 610, 987, 1597, 2584)
order by place

-- name: words
-- Ever rarer words, pairs of them, words that are not wanted, and phrases.
with counted as (
    select word as name, ndoc as posts, row_number() over (order by ndoc desc, word) as place
    from ts_stat('select search from community_posts where abs(hashtext(id::text)) % 50 = 0')
), chosen as (
    select name, place
    from counted
    where place in (1, 2, 3, 5, 8, 13, 21, 34, 55, 89, 144, 233, 377, 610, 987, 1597, 2584)
)
select name from chosen
union all
select one.name || ' ' || other.name from chosen as one join chosen as other on other.place = 13 and one.place <> 13
union all
select one.name || ' or ' || other.name from chosen as one join chosen as other on other.place = 144 and one.place > 13
union all
select '-' || name from chosen where place in (1, 144)
union all
select other.name || ' -' || one.name from chosen as one join chosen as other on other.place = 13 and one.place in (1, 987)
union all
select '"' || one.name || ' ' || other.name || '"' from chosen as one join chosen as other on other.place = 13 and one.place < 13
