-- name: append
-- Appends entries to their topics; a row for each, in order.
select seq, at from journal_append($1, $2, $3, $4, $5, $6)

-- name: blank
-- Takes away what the entries about the subjects $1 tell, except on the topics $2; their seq stays.
update events
set data = null
where subject = any ($1::text[]) and topic <> all ($2::text[]) and data is not null

-- name: blank_topics
-- Takes away what all entries on these topics tell; their seq stays.
update events set data = null where topic = any ($1::text[]) and data is not null
