-- migrate:up

-- Who has viewed which post lately: a mark is worth nothing after half an hour, nor after a crash.
-- `viewer` is a user's id, or a visitor's address.
create unlogged table view_marks (
    post_id uuid not null,
    viewer text not null,
    counted_at timestamptz not null,
    primary key (post_id, viewer)
);

-- migrate:down

drop table view_marks;
