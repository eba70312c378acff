-- name: hold_post
-- Keeps the post $1 from being deleted until the transaction ends; whose it is, and whether it is hidden.
select user_id, is_hidden from community_posts where id = $1::uuid for key share

-- name: made
-- The report $1 as it was made.
select id, post_id, reporter_id, reason, details from community_reports where id = $1::uuid

-- name: add
-- Writes a report; a row unless its id is taken, or this user has reported this post before.
insert into community_reports (id, post_id, reporter_id, reason, details)
values ($1::uuid, $2::uuid, $3::uuid, $4::text, $5::text)
on conflict do nothing
returning id

-- name: reported
-- Which post the report $1 is about.
select post_id from community_reports where id = $1::uuid

-- name: review
-- Says what becomes of the report $1, and who ($3) says so; a row if nobody had said before.
update community_reports
set status = $2::text, reviewed_by = $3::uuid, reviewed_at = clock_timestamp()
where id = $1::uuid and status = 'pending'
returning id

-- part: report
-- What a list of reports shows of the rows of `page`.
select
    page.created_at as listed_at, page.id as listed_id,
    page.id, page.post_id, page.reason, page.details, page.status, page.reviewed_by,
    page.reviewed_at, page.created_at,
    reporter.id as reporter_id, reporter.display_name as reporter_display_name,
    reporter.avatar_url as reporter_avatar_url,
    reporter.subscription_tier as reporter_subscription_tier
from page
join users as reporter on reporter.id = page.reporter_id
order by page.created_at desc, page.id desc

-- name: find
-- The report $1.
with page as (select * from community_reports where id = $1::uuid)
-- include: gallery/reports.report

-- name: newest
-- At most $3 reports before the position ($1, $2), newest first, without the first $4.
with page as (
    select *
    from community_reports
    where (created_at, id) < ($1::timestamptz, $2::uuid)
    order by created_at desc, id desc
    limit $3 offset $4
)
-- include: gallery/reports.report

-- name: newest_of_status
-- The same of the reports that have the status $5.
with page as (
    select *
    from community_reports
    where status = $5::text and (created_at, id) < ($1::timestamptz, $2::uuid)
    order by created_at desc, id desc
    limit $3 offset $4
)
-- include: gallery/reports.report

-- name: count
-- How many reports there are of the status $1, or of any where that is null.
select count(*) as total from community_reports where $1::text is null or status = $1
