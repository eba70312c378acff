-- The gateway's role and its database, made once by a superuser:
--     DATABASE_PASSWORD=… psql --set ON_ERROR_STOP=1 --file database.sql
-- The role owns the database, and nothing else.
\getenv password DATABASE_PASSWORD
create role vernissage login password :'password';
create database vernissage owner vernissage;
