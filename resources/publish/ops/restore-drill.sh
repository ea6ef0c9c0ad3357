#!/usr/bin/env bash
# sudo bash ops/restore-drill.sh [ARCHIVE] [--identity FILE]
#
# Restores the newest backup, or the one that is named, into a folder of its own and looks at it: a backup that nobody restored is
# none. Nothing of the hubs is touched.
#   --identity FILE       the private key of age; without it, only what can be seen of an encrypted archive is looked at
#   BACKUP_MAX_HOURS=26   how old the newest may be
# Ends with 0, 65 the archive is not whole, 69 there is none, 75 the newest is too old.

. "$(dirname -- "${BASH_SOURCE[0]}")/lib.sh"
. "$OPS_DIR/encryption.sh"

STEP=backup
need_root
need_node
started=$SECONDS
archive=$INSTALL_DIR/backups/latest named='' identity=''
while (($# > 0)); do
  if [[ $1 == --identity ]]; then
    (($# > 1)) || usage '--identity needs a file.'
    identity=$(given_file "$2") || usage "There is no file $2."
    shift
  else
    [[ -z $named ]] || usage 'One archive may be given.'
    archive=$(given_file "$1") || usage 'There is no such archive.'
    named=yes
  fi
  shift
done
[[ -f $archive ]] || die 69 "There is no backup in $INSTALL_DIR/backups yet: sudo bash $OPS_DIR/backup.sh"
archive=$(readlink -f -- "$archive")
step backup "Restoring $archive on trial"
work=$(mktemp -d)
trap 'rm -rf -- "$work"' EXIT
mkdir -- "$work/content" "$work/data" "$work/config"
hours=$((($(date +%s) - $(stat --format=%Y -- "$archive")) / 3600))
as_it_was_made "$archive" || die 65 'The archive is damaged: it is not what its checksum says. Make a new one with backup.sh.'
refuse_old() {
  if [[ -z $named ]] && ((hours >= ${BACKUP_MAX_HOURS:-26})); then
    die 75 "It is whole, but $hours hours old: look at why no newer one was made (systemctl list-timers, or the crontab)."
  fi
}
if is_encrypted "$archive"; then
  need_age
  if [[ -z $identity ]]; then
    refuse_old
    skip "It is $hours hours old and as it was made, but encrypted, and was not restored: give --identity FILE, or do this where the private key is."
    exit 0
  fi
fi
take_archive "$archive" "$work/archive" "$identity" || die 65 "It cannot be decrypted with $identity. The reason is above."
open_archive "$work/archive" "$work/content" || die 65 'The archive is not whole. Make a new one with backup.sh, and find out what damaged this one.'
for file in "$work/content"/hub-*.tar.gz; do
  port=${file##*/hub-}
  HUB_ROOT=$work hub_data "${port%.tar.gz}" restore "$file" >"$work/said" 2>&1 || die 65 "It cannot be restored: $(<"$work/said")"
done
hub_cli config check --config "$work/config" >"$work/said" 2>&1 || die 65 "Its configuration is refused: $(<"$work/said")"
for name in $GENERATED; do
  grep -q "^$name=" "$work/content/.env" || die 65 "Its .env has no $name."
done
refuse_old
ok "Whole, $hours hours old, restored in $((SECONDS - started)) s: $(tail -n 1 "$work/said")"
