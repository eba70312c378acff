-- migrate:up

create table assets (
    id uuid primary key,
    user_id uuid not null references users on delete cascade,
    asset_type text not null check (asset_type in (
        'twitch_emote', 'youtube_thumbnail', 'twitch_banner', 'twitch_badge', 'overlay',
        'twitch_panel', 'twitch_offline'
    )),
    url text not null check (char_length(url) between 1 and 2000),
    prompt text check (char_length(prompt) <= 4000),
    created_at timestamptz not null default now()
);
create index assets_of_user on assets (user_id, created_at desc, id desc);

create table community_posts (
    id uuid primary key,
    user_id uuid not null references users on delete cascade,
    asset_id uuid not null unique references assets on delete cascade,
    title text not null check (char_length(title) between 1 and 100),
    description text check (char_length(description) <= 500),
    prompt_used text,
    show_prompt boolean not null default true,
    tags text[] not null default '{}' check (cardinality(tags) <= 5),
    asset_type text not null,
    asset_url text not null,
    like_count integer not null default 0 check (like_count >= 0),
    comment_count integer not null default 0 check (comment_count >= 0),
    view_count integer not null default 0 check (view_count >= 0),
    is_featured boolean not null default false,
    is_hidden boolean not null default false,
    inspired_by_post_id uuid references community_posts on delete set null,
    search tsvector generated always as (
        to_tsvector('english', title || ' ' || coalesce(description, ''))
    ) stored,
    created_at timestamptz not null default now(),
    updated_at timestamptz not null default now()
) with (fillfactor = 70);
create index posts_recent on community_posts (created_at desc, id desc);
create index posts_recent_of_type on community_posts (asset_type, created_at desc, id desc);
create index posts_recent_of_user on community_posts (user_id, created_at desc, id desc)
    include (is_hidden);
create index posts_most_liked on community_posts (like_count desc, id desc);
create index posts_tags on community_posts using gin (tags);
create index posts_search on community_posts using gin (search);
create index posts_hidden on community_posts (user_id) where is_hidden;
create index posts_inspired_by on community_posts (inspired_by_post_id, created_at desc)
    where inspired_by_post_id is not null;

create table community_likes (
    id uuid primary key,
    post_id uuid not null references community_posts on delete cascade,
    user_id uuid not null references users on delete cascade,
    created_at timestamptz not null default clock_timestamp(),
    unique (post_id, user_id)
);
create index likes_newest on community_likes (post_id, created_at desc);
create index likes_of_user on community_likes (user_id, created_at desc);

create table community_comments (
    id uuid primary key,
    post_id uuid not null references community_posts on delete cascade,
    user_id uuid not null references users on delete cascade,
    content text not null check (char_length(content) between 1 and 1000),
    is_edited boolean not null default false,
    created_at timestamptz not null default clock_timestamp(),
    updated_at timestamptz not null default clock_timestamp()
);
create index comments_oldest on community_comments (post_id, created_at, id);
create index comments_of_user on community_comments (user_id, created_at desc);

create table community_follows (
    id uuid primary key,
    follower_id uuid not null references users on delete cascade,
    following_id uuid not null references users on delete cascade,
    created_at timestamptz not null default clock_timestamp(),
    unique (follower_id, following_id),
    check (follower_id <> following_id)
);
create index follows_newest on community_follows (following_id, created_at desc);

create table community_reports (
    id uuid primary key,
    post_id uuid not null references community_posts on delete cascade,
    reporter_id uuid not null references users on delete cascade,
    reason text not null check (reason in ('spam', 'inappropriate', 'copyright', 'harassment', 'other')),
    details text check (char_length(details) <= 500),
    status text not null default 'pending'
        check (status in ('pending', 'reviewed', 'dismissed', 'actioned')),
    reviewed_by uuid references users on delete set null,
    reviewed_at timestamptz,
    created_at timestamptz not null default now(),
    unique (post_id, reporter_id)
);

create table community_user_stats (
    user_id uuid primary key references users on delete cascade,
    post_count integer not null default 0 check (post_count >= 0),
    total_likes_received integer not null default 0 check (total_likes_received >= 0),
    follower_count integer not null default 0 check (follower_count >= 0),
    following_count integer not null default 0 check (following_count >= 0),
    is_banned boolean not null default false,
    banned_at timestamptz,
    banned_reason text,
    created_at timestamptz not null default now(),
    updated_at timestamptz not null default now()
) with (fillfactor = 70);

-- The best posts as of one moment; a cursor names the snapshot that it walks.
create table trending_snapshots (
    id uuid primary key,
    size integer not null,
    created_at timestamptz not null
);
create index trending_snapshots_newest on trending_snapshots (created_at desc);

-- A post that was deleted since leaves its rank empty: no reference, so that a pass locks no post.
create table trending_entries (
    snapshot_id uuid not null references trending_snapshots on delete cascade,
    rank integer not null,
    post_id uuid not null,
    asset_type text not null,
    score double precision not null,
    primary key (snapshot_id, rank),
    unique (snapshot_id, post_id)
);
create index trending_entries_of_type on trending_entries (snapshot_id, asset_type, rank);

-- migrate:down

drop table trending_entries;
drop table trending_snapshots;
drop table community_user_stats;
drop table community_reports;
drop table community_follows;
drop table community_comments;
drop table community_likes;
drop table community_posts;
drop table assets;
