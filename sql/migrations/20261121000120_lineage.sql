-- migrate:up

-- Which history the rows are of: whoever begins a new timeline gives it another `lineage`, under that timeline's
-- number. A standby that shows the same one follows the server that wrote it.
alter table installation
    add column lineage uuid not null default gen_random_uuid(),
    add column timeline text not null default '';

-- migrate:down

alter table installation drop column timeline, drop column lineage;
