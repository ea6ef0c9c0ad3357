#!/usr/bin/env bash
# sudo bash ops/restore.sh ARCHIVE [--identity FILE] [--with-env]
#
# Puts what an archive of backup.sh holds in the place of what is here. It is checked before anything is touched, what is here is
# backed up first, and comes back when the hubs are not healthy with what was restored. Called twice, it does the same twice.
#   --identity FILE   the private key of age, for an archive that is encrypted
#   --with-env        also the .env of the archive, in the place of the one here; without one here that happens anyway
# Ends with 0 done, 64 the command line, 65 the archive is refused, 69 something is missing here, 75 not healthy and put back, 76 not
# healthy, and what was here could not all be put back.

. "$(dirname -- "${BASH_SOURCE[0]}")/lib.sh"
. "$OPS_DIR/encryption.sh"
. "$OPS_DIR/switch.sh"
load_manager

archive='' with_env='' identity=''
while (($# > 0)); do
  case $1 in
    --with-env) with_env=yes ;;
    --identity)
      (($# > 1)) || usage '--identity needs a file.'
      identity=$(given_file "$2") || usage "There is no file $2."
      shift
      ;;
    -*) usage "Unknown option $1. There are --identity FILE and --with-env." ;;
    *)
      [[ -z $archive ]] || usage 'One archive may be given.'
      archive=$1
      ;;
  esac
  shift
done
[[ -n $archive ]] || usage "Which archive? There are: $(ls -- "$INSTALL_DIR/backups")"
archive=$(given_file "$archive") || usage 'There is no such archive.'

STEP=preflight
need_root
[[ -e $CURRENT ]] || die 69 "There is no hub in $INSTALL_DIR yet: run deploy.sh first."
lock
trap '' HUP PIPE
trap 'exit 130' INT TERM
trap finish EXIT
work=$(mktemp -d) safety='' begun=''

finish() {
  local code=$?
  trap - EXIT
  trap '' INT TERM
  set +e
  if [[ $code != 0 && -n $begun ]]; then
    code=75
    step rollback 'Putting back what was here before'
    manager_stop
    if [[ -f $work/kept.dump ]] && ! { start_stores && ENV_FILE=$coming restore_database "$work/kept.dump"; }; then
      code=76
      say 'The database could not be put back; where its copy is was told above.'
    fi
    # Before the rest: it says to which database that goes.
    if [[ -f $work/env-before ]]; then restore_env "$work/env-before"; fi
    if [[ -z $safety ]]; then
      code=76
      report failed "No backup could be made before: what was in config/ and data/ lies in $INSTALL_DIR/data/*/before-restore-*."
    elif restore_from "$work/safety" && manager_reload && wait_healthy; then
      ok 'It is in force again.'
    else
      code=76
      report failed "It could not be put back: restore $safety by hand."
    fi
  fi
  rm -rf -- "$work"
  exit "$code"
}

start_stores() { if declare -F manager_stores >/dev/null; then manager_stores; fi; }

# restore_from FOLDER: each hub's part to the hub of the same place in the list; the first has the last word on what they share.
restore_from() {
  local parts at
  start_stores || return 1
  mapfile -t parts < <(printf '%s\n' "$1"/hub-*.tar.gz | sort --version-sort)
  for ((at = (${#parts[@]} < ${#HUB_PORTS[@]} ? ${#parts[@]} : ${#HUB_PORTS[@]}) - 1; at >= 0; at--)); do
    hub_part "${HUB_PORTS[at]}" "${parts[at]}" || return 1
  done
  if [[ -f $1/database.dump ]] && uses_database; then restore_database "$1/database.dump" || return 1; fi
}

# keep_copy FILE KIND: of what is in no backup, beside those, and encrypted where they are.
# shellcheck disable=SC2016
keep_copy() {
  local file=$1 place
  place=$INSTALL_DIR/backups/before-restore-$(date -u +%Y%m%dT%H%M%SZ).$2
  if encrypts_backups; then
    place+=.age file=$work/encrypted
    encrypt_file "$1" "$file" || return 1
  fi
  as_hub sh -c 'umask 077 && cat >"$1"' sh "$place" <"$file" && say "Kept before it is replaced: $place"
}

# Where nothing is the hub's, nothing is replaced.
keep_database() {
  local found
  found=$(with_database "$PSQL" --no-psqlrc --tuples-only --no-align --command "SELECT 1 FROM pg_class WHERE relname LIKE 'hub\_%' LIMIT 1") || return 1
  [[ -n $found ]] || return 0
  dump_database "$work/kept.dump" && keep_copy "$work/kept.dump" dump
}

database_named() { if [[ -n $(env_value DATABASE_URL) ]]; then env_value DATABASE_URL; else cat -- "$(env_value DATABASE_URL_FILE)"; fi 2>/dev/null; }

# All that is the hub's goes, also tables of a later release that the dump does not know: its hub would make them again, and fail.
# In one transaction: whatever ends in the middle, no COMMIT comes, and the database is as it was.
restore_database() {
  {
    cat <<'SQL' && postgres "$PG_RESTORE" --no-owner --no-privileges --file=- <"$1" && echo 'COMMIT;'
BEGIN;
SET LOCAL lock_timeout = '30s';
SET LOCAL client_min_messages = warning;
DO $hub$ DECLARE name text; BEGIN
  FOR name IN SELECT oid::regclass::text FROM pg_class WHERE relkind IN ('r', 'p') AND relname LIKE 'hub\_%' AND pg_table_is_visible(oid) LOOP
    EXECUTE 'DROP TABLE IF EXISTS ' || name || ' CASCADE';
  END LOOP;
  FOR name IN SELECT oid::regclass::text FROM pg_class WHERE relkind = 'S' AND relname LIKE 'hub\_%' AND pg_table_is_visible(oid) LOOP
    EXECUTE 'DROP SEQUENCE IF EXISTS ' || name;
  END LOOP;
END $hub$;
SQL
  } | with_database "$PSQL" --no-psqlrc --quiet --set=ON_ERROR_STOP=1 --output=/dev/null
}

# As the hub's user, in its folders. What was there is in the backup that was made before, or stays beside it.
hub_part() {
  local place
  place=$(as_hub mktemp) || return 1
  # shellcheck disable=SC2016
  as_hub sh -c 'cat >"$1"' sh "$place" <"$2" && quietly as_hub "HUB_USER=$HUB_USER" "NODE=$NODE" bash "$OPS_DIR/hub-data.sh" "$1" restore "$place"
  local code=$?
  as_hub rm -f -- "$place"
  return "$code"
}

# coming_env FILE: the archive's .env as it is to be here. What compose runs beside the hubs has passwords of this machine, so
# where it is and how one gets in stays what it is here.
coming_env() {
  local names=COMPOSE_PROFILES store
  if [[ $MODE != docker || ! -f $ENV_FILE || -z $(env_value COMPOSE_PROFILES) ]]; then
    cat -- "$1"
    return
  fi
  for store in $(env_value COMPOSE_PROFILES | tr ',' ' '); do names+="|${store^^}_URL|${store^^}_URL_FILE"; done
  sed -E "/^($names)=/d" -- "$1" && sed -En "/^($names)=/p" -- "$ENV_FILE"
}

restore_env() {
  install -m 0640 -- "$1" "$ENV_FILE.new" && chown "$(id -u):$(id -gn "$HUB_USER")" "$ENV_FILE.new" && mv -fT -- "$ENV_FILE.new" "$ENV_FILE"
}

step preflight "Checking $archive"
manager_preflight
if is_encrypted "$archive"; then
  need_age
  [[ -n $identity ]] || die 64 'The archive is encrypted: give --identity FILE, with the private key of one of those whom it is for.'
fi
mkdir -- "$work/new" "$work/safety"
as_it_was_made "$archive" || die 65 'The archive is damaged: it is not what its checksum says. Nothing was changed.'
take_archive "$archive" "$work/archive" "$identity" || die 65 "It cannot be decrypted with $identity, and nothing was changed. The reason is above."
open_archive "$work/archive" "$work/new" || die 65 'The archive is refused, and nothing was changed. The reason is above.'
if [[ -f $work/new/database.dump ]]; then
  need_postgres "$PG_DUMP" "$PSQL"
  if [[ -z $with_env && -f $ENV_FILE ]] && ! uses_database; then
    warn "It holds a dump of a database, but $ENV_FILE names none by DATABASE_URL: what is in it is not restored."
  fi
elif uses_database; then
  warn 'It holds no dump: the database stays as it is.'
fi
coming_env "$work/new/.env" >"$work/env"
coming=$ENV_FILE
if [[ -n $with_env || ! -f $ENV_FILE ]]; then coming=$work/env; fi
if [[ $coming == "$ENV_FILE" ]]; then check_files; else check_files "$coming" "the archive's .env"; fi
ok 'It is whole.'

step backup 'Keeping what is here'
if MCP_HUB_STEPS='' COPY_TO=3 bash "$OPS_DIR/backup.sh" >&2 9>&- 3>"$work/safety.tar"; then
  safety=$(readlink -f -- "$INSTALL_DIR/backups/latest")
  open_archive "$work/safety.tar" "$work/safety" || die 69 'The backup of what is here cannot be read back. Nothing was changed.'
  ok "$safety"
else
  # Files are moved aside; a database and .env can only be copied.
  if [[ $coming != "$ENV_FILE" && -f $ENV_FILE ]]; then keep_copy "$ENV_FILE" env || die 69 "$ENV_FILE cannot be kept. Nothing was changed."; fi
  skip 'What is here is broken and cannot be kept as a backup; it is moved aside instead.'
fi
if [[ -f $ENV_FILE ]]; then cp -- "$ENV_FILE" "$work/env-before"; fi
# A backup has the database of here, and the archive's .env may name another one.
if [[ -f $work/new/database.dump ]] && ENV_FILE=$coming uses_database &&
  [[ -z $safety || $(ENV_FILE=$coming database_named) != "$(database_named)" ]]; then
  ENV_FILE=$coming keep_database || {
    [[ $coming == "$ENV_FILE" ]] || say "The archive's .env names it. To restore into the database that $ENV_FILE names, restore without --with-env."
    die 69 'The database cannot be kept. Nothing was changed.'
  }
fi

step switch 'Putting the archive in its place'
begun=yes
manager_stop
if [[ $coming != "$ENV_FILE" ]]; then restore_env "$coming"; fi
restore_from "$work/new" || die 75 'Restoring failed. The reason is above.'
ok 'Done.'

step start 'Starting the hubs'
manager_start || die 75 'The hubs could not be started. The reason is above.'
ok "${#HUB_PORTS[@]} on ${PORTS// /, }"

step health 'Waiting until they are healthy'
wait_healthy || die 75 'They did not become healthy.'
begun=''
# What this run moved aside is in the backup; of an earlier one it may be the only copy.
if [[ -n $safety ]]; then find "$INSTALL_DIR/data" -mindepth 2 -maxdepth 2 -name 'before-restore-*' -newer "$work/env" -print0 | as_hub xargs -0r rm -rf --; fi
ok "What the archive holds is in force.${safety:+ What was here before: $safety}"
