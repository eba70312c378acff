-- name: note
-- Writes down what moderators do.
insert into moderation_log (id, actor_id, action, subject_type, subject_id, reason)
select * from unnest($1::uuid[], $2::uuid[], $3::text[], $4::text[], $5::uuid[], $6::text[])
