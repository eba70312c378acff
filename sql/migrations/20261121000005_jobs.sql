-- migrate:up

-- When each of the jobs that one node of all does was last done.
create table job_runs (
    name text primary key,
    done_at timestamptz not null
);

-- migrate:down

drop table job_runs;
