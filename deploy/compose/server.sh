#!/bin/sh
# Starts the Temporal server with the password from its file: the server reads
# it from the environment only, and a compose file is no place for it.
set -eu

POSTGRES_PWD=$(cat /run/secrets/postgres_password)
export POSTGRES_PWD

exec /etc/temporal/entrypoint.sh
