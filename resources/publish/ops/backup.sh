#!/usr/bin/env bash
# sudo bash ops/backup.sh
#
# Everything that the hubs have, in one archive in INSTALL_DIR/backups, made while they run and read back before older ones are
# deleted: for each hub what `mcp-hub backup` keeps, .env, and with DATABASE_URL a dump of the database. It holds secrets: keep it
# as you keep those, and keep copies on another machine. Where the target names public keys it is encrypted for them (.age), with
# its checksum beside it.
#   BACKUP_DAYS=30   older archives are deleted, but never one of the newest seven; and what deploy.sh put aside as broken,
#                    and copies of a database that restore.sh made
# Ends with 0, or 69 and what is missing, or 73 and what could not be kept; nothing is deleted then.

. "$(dirname -- "${BASH_SOURCE[0]}")/lib.sh"
. "$OPS_DIR/encryption.sh"

need_root
# All of it as the hub's user: root has no business in folders that another user may write.
if [[ $(id -un) != "$HUB_USER" ]]; then
  beside=()
  # Only root may ask the container of the database; the hub's user gets the dump by a descriptor.
  if database_beside; then
    need_postgres
    dump=$(mktemp)
    trap 'rm -f -- "$dump"' EXIT
    { dump_database "$dump" && check_dump "$dump"; } || die 73 'pg_dump could not keep the database. No older backup was deleted.'
    exec 8<"$dump"
    beside=(DUMP_FROM=8 "DATABASE_ADDRESS=$(database_address)")
  fi
  as_hub "${beside[@]}" "HUB_USER=$HUB_USER" "NODE=$NODE" "PG_DUMP=$PG_DUMP" "PG_RESTORE=$PG_RESTORE" "AGE=$AGE" "BACKUP_DAYS=${BACKUP_DAYS:-30}" \
    "HUB_CONFIG=${HUB_CONFIG:-}" "COPY_TO=${COPY_TO:-}" "MCP_HUB_STEPS=${MCP_HUB_STEPS:-}" bash "$OPS_DIR/backup.sh"
  exit
fi

STEP=backup
umask 077
backups=$INSTALL_DIR/backups
step backup 'Making a backup'
need_node
if uses_database && [[ -z ${DUMP_FROM:-} ]]; then need_postgres "$PG_DUMP" "$PG_RESTORE"; fi
if encrypts_backups; then need_age; fi
mkdir -p -- "$backups" || die 73 "$backups cannot be made."
exec 9>"$backups/.lock"
flock --nonblock 9 || die 69 'Another backup is under way. Wait until it has ended.'
find "$backups" -maxdepth 1 -name '.stage-*' -exec rm -rf -- {} +
stage=$(mktemp -d "$backups/.stage-XXXXXX") || die 73 "$backups cannot be written."
trap 'rm -rf -- "$stage"' EXIT
mkdir -- "$stage/content" "$stage/check"

failed() { die 73 "$1 No older backup was deleted."; }

for port in "${HUB_PORTS[@]}"; do
  hub_data "$port" backup --out "$stage/$port" --keep 1 >/dev/null || failed "What the hub on port $port has could not be kept."
  mv -- "$stage/$port"/*.tar.gz "$stage/content/hub-$port.tar.gz"
done
cp -- "$ENV_FILE" "$stage/content/.env" || failed "$ENV_FILE could not be read."
if [[ -n ${DUMP_FROM:-} ]]; then
  cat <&"$DUMP_FROM" >"$stage/content/database.dump" || failed 'The dump of the database could not be written.'
elif uses_database; then
  dump_database "$stage/content/database.dump" || failed 'pg_dump could not keep the database.'
fi
members=(.env)
for file in "$stage/content"/*; do members+=("${file##*/}"); done
(cd "$stage/content" && sha256sum -- "${members[@]}" >SHA256SUMS)
tar --create --file="$stage/archive" --directory="$stage/content" --format=ustar --owner=0 --group=0 --numeric-owner \
  SHA256SUMS "${members[@]}" || failed 'The archive could not be written.'
open_archive "$stage/archive" "$stage/check" || failed 'The archive could not be read back.'
# For restore.sh, which has no private key: a descriptor that it opened.
if [[ -n ${COPY_TO:-} ]]; then cat -- "$stage/archive" >&"$COPY_TO"; fi
name=mcp-hub-$(date -u +%Y%m%dT%H%M%S%NZ).tar told='read back and found whole'
if encrypts_backups; then
  encrypt_file "$stage/archive" "$stage/encrypted" || failed 'The archive could not be encrypted.'
  mv -f -- "$stage/encrypted" "$stage/archive"
  name+=.age told+=", then encrypted; keys: $(wc -w <<<"$BACKUP_RECIPIENTS")"
fi
sync "$stage/archive"
mv -- "$stage/archive" "$backups/$name"
if encrypts_backups; then (cd -- "$backups" && sha256sum -- "$name" >"$name.sha256") || failed 'Its checksum could not be written.'; fi
point "$backups/latest" "$name"

kept=0
while read -r old; do
  kept=$((kept + 1))
  if ((kept > 7)) && [[ -n $(find "$backups/$old" -mtime "+${BACKUP_DAYS:-30}") ]]; then rm -f -- "$backups/$old" "$backups/$old.sha256"; fi
done < <(find "$backups" -maxdepth 1 -type f '(' -name 'mcp-hub-*.tar' -o -name 'mcp-hub-*.tar.age' ')' -printf '%f\n' | sort -r)
# What deploy.sh put aside, where a folder was made by releases of before, and what restore.sh kept of a database.
find "$backups" -maxdepth 1 '(' -name 'broken-config-*' -o -name 'before-restore-*.dump*' ')' -mtime "+${BACKUP_DAYS:-30}" -exec rm -rf -- {} +
if encrypts_backups && compgen -G "$backups/mcp-hub-*.tar" >/dev/null; then
  warn "Archives from before the encryption lie in $backups in plain text: delete them when you need them no more."
fi
for variable in "${FILE_VARIABLES[@]}"; do
  [[ -z $(env_value "${variable}_FILE") ]] || say "Not in it, keep it elsewhere: $(env_value "${variable}_FILE"), which ${variable}_FILE in .env names."
done
ok "$backups/$name, $(($(stat --format=%s "$backups/$name") / 1024)) kB, $told"
