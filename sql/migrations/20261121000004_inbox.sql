-- migrate:up

-- One unseen notification per receiver, kind and subject grows; after it was seen a new one starts.
-- `actors` are the newest three, newest first; what happened before `created_at` is not part of it.
create table notifications (
    id uuid primary key,
    user_id uuid not null references users on delete cascade,
    kind text not null check (kind in ('post_liked', 'post_commented', 'user_followed', 'post_inspired')),
    subject_type text not null check (subject_type in ('post', 'user')),
    subject_id uuid not null,
    subject_title text,
    actors uuid[] not null check (cardinality(actors) <= 3),
    count integer not null check (count > 0),
    seen boolean not null default false,
    created_at timestamptz not null,
    updated_at timestamptz not null
);
create unique index notifications_unseen on notifications (user_id, kind, subject_id) where not seen;
create index notifications_newest on notifications (user_id, updated_at desc, id desc);
create index notifications_subject on notifications (subject_type, subject_id);

-- migrate:down

drop table notifications;
