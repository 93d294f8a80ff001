#!/bin/sh
# Creates Temporal's two databases and brings their schemas up to the version
# of this image. Every step is a no-op when its result is there already.
set -eu

SQL_PASSWORD=$(cat /run/secrets/postgres_password)
export SQL_PASSWORD

schemas=${SCHEMAS:-/etc/temporal/schema}/postgresql/v12

migrate() { # database, folder of its versions
	temporal-sql-tool --db "$1" create-database
	temporal-sql-tool --db "$1" setup-schema --version 0.0
	temporal-sql-tool --db "$1" update-schema --schema-dir "$schemas/$2/versioned"
}

migrate temporal temporal
migrate temporal_visibility visibility
