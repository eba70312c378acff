-- name: is_due
-- Whether the job $1 was last done more than $2 ago, or never.
select not exists (
    select from job_runs where name = $1 and done_at > clock_timestamp() - $2::interval
) as due

-- name: note
-- The job $1 is done as of now.
insert into job_runs (name, done_at) values ($1, clock_timestamp())
on conflict (name) do update set done_at = excluded.done_at
