-- migrate:up

-- What a post was made as: a hash of the request's fields, by which its repetition is known, whatever has
-- become of the post since. Null for posts of an earlier release, and for those made elsewhere.
alter table community_posts add column made_as bytea;

-- migrate:down

alter table community_posts drop column made_as;
