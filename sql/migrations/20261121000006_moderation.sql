-- migrate:up

-- What was done by virtue of being a moderator, by whom and why. It outlives whatever it names.
create table moderation_log (
    id uuid primary key,
    actor_id uuid not null,
    action text not null check (action in (
        'featured', 'unfeatured', 'hidden', 'shown', 'deleted', 'banned', 'unbanned', 'reviewed',
        'dismissed', 'actioned'
    )),
    subject_type text not null check (subject_type in ('post', 'comment', 'user', 'report')),
    subject_id uuid not null,
    reason text check (char_length(reason) between 1 and 500),
    created_at timestamptz not null default clock_timestamp()
);
create index moderation_log_of_subject on moderation_log (subject_id, created_at desc);
create index moderation_log_of_actor on moderation_log (actor_id, created_at desc);

create index reports_newest on community_reports (created_at desc, id desc);
create index reports_newest_of_status on community_reports (status, created_at desc, id desc);
create index reports_of_reporter on community_reports (reporter_id);
create index reports_reviewed_by on community_reports (reviewed_by) where reviewed_by is not null;

-- migrate:down

drop index reports_reviewed_by;
drop index reports_of_reporter;
drop index reports_newest_of_status;
drop index reports_newest;
drop table moderation_log;
