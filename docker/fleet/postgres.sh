#!/bin/sh
# The users and the database of docker/fleet/compose.yaml, once, when the database is empty. The password is that which
# `blikk collect` reads: the line `centre: ...`. The user of the page of all sites has none until you give it one.
set -eu
password=$(sed -n 's/^centre: *//p' /run/secrets/centre)
[ -n "$password" ] || { echo "secrets/centre.yaml has no line 'centre: PASSWORD'" >&2; exit 1; }
psql --username postgres --set ON_ERROR_STOP=1 --set password="$password" <<'SQL'
CREATE ROLE blikk LOGIN PASSWORD :'password';
CREATE ROLE viewer LOGIN;
CREATE DATABASE blikk OWNER blikk;
\connect blikk
CREATE EXTENSION vector;
SQL
