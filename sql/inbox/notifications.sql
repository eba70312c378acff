-- name: record
-- Begins, grows or takes back unseen notifications, as activities did things to their subjects; a row for each
-- that changed, with the number of its activity.
select activity, id, begins, actor_ids, count, created_at, updated_at
from inbox_record($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14)

-- name: lock_about
-- The notifications about these subjects, seen or not, locked in order of id.
select id, user_id, kind, subject_id, seen, created_at, updated_at
from notifications
where (subject_type, subject_id) in (select * from unnest($1::text[], $2::uuid[]))
order by id
for update

-- name: lock
-- Those of the notifications $1 that are unseen, locked in order of id.
select
    notice.user_id,
    -- include: inbox/notifications.notification
from notifications as notice
where notice.id = any ($1::uuid[]) and not notice.seen
order by notice.id
for update of notice

-- name: save
-- Makes notifications, or brings them up to date; the actors come as ids with commas between.
insert into notifications (
    id, user_id, kind, subject_type, subject_id, subject_title, actors, count, created_at, updated_at
)
select
    id, user_id, kind, subject_type, subject_id, subject_title,
    string_to_array(actors, ',')::uuid[], count, created_at, updated_at
from unnest(
    $1::uuid[], $2::uuid[], $3::text[], $4::text[], $5::uuid[], $6::text[], $7::text[], $8::integer[],
    $9::timestamptz[], $10::timestamptz[]
) as given (
    id, user_id, kind, subject_type, subject_id, subject_title, actors, count, created_at, updated_at
)
on conflict (id) do update set
    subject_title = excluded.subject_title,
    actors = excluded.actors,
    count = excluded.count,
    updated_at = excluded.updated_at

-- name: take_back
-- Removes notifications of which nothing is left.
delete from notifications where id = any ($1::uuid[])

-- part: notification
-- A Notification: `notice` is its row.
notice.id, notice.kind, notice.subject_type, notice.subject_id, notice.subject_title,
(
    select json_agg(json_build_object(
        'id', actor.id, 'display_name', actor.display_name, 'avatar_url', actor.avatar_url,
        'subscription_tier', actor.subscription_tier
    ) order by named.place)
    from unnest(notice.actors) with ordinality as named (id, place)
    join users as actor on actor.id = named.id
) as actors,
notice.count, notice.seen, notice.created_at, notice.updated_at

-- name: page
-- The notifications of the user $1, those that changed last first: at most $4 after the position ($2, $3)
-- and $5 more; each row with how many are unseen. A row without a notification where there is none.
select page.*, (
    select count(*) from notifications where user_id = $1::uuid and not seen
) as unseen_count
from (select) as one
left join (
    select
        -- include: inbox/notifications.notification
        , notice.updated_at as listed_at, notice.id as listed_id
    from notifications as notice
    where notice.user_id = $1::uuid
        and (notice.updated_at, notice.id) < ($2::timestamptz, $3::uuid)
    order by notice.updated_at desc, notice.id desc
    limit $4 offset $5
) as page on true
order by page.listed_at desc, page.listed_id desc

-- name: count_of_user
-- How many notifications the user $1 has.
select count(*) as total from notifications where user_id = $1::uuid

-- name: lock_to_see
-- Those of the unseen notifications of the user $1 that are among $2, and changed last at $3 or before; null
-- lets all through. At most $4, locked in order of id.
select id
from notifications
where user_id = $1::uuid and not seen
    and ($2::uuid[] is null or id = any ($2))
    and ($3::timestamptz is null or updated_at <= $3)
order by id
limit $4
for no key update

-- name: see
-- The locked notifications $1 are seen from now on.
update notifications as notice
set seen = true
where notice.id = any ($1::uuid[])
returning
    -- include: inbox/notifications.notification

-- name: count_unseen
-- How many notifications the user $1 has not seen.
select count(*) as total from notifications where user_id = $1::uuid and not seen
