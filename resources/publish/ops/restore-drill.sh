#!/usr/bin/env bash
# sudo bash ops/restore-drill.sh [ARCHIVE]
#
# Restores the newest backup, or the one that is named, into a folder of its own and looks at it: a backup that nobody restored is
# none. Nothing of the hubs is touched.
#   BACKUP_MAX_HOURS=26   how old the newest may be
# Ends with 0, 65 the archive is not whole, 69 there is none, 75 the newest is too old.

. "$(dirname -- "${BASH_SOURCE[0]}")/lib.sh"

STEP=backup
need_root
need_node
started=$SECONDS
archive=$INSTALL_DIR/backups/latest
if (($# > 0)); then archive=$(cd -- "$CALLED_FROM" && realpath -e -- "$1") || usage 'There is no such archive.'; fi
[[ -f $archive ]] || die 69 "There is no backup in $INSTALL_DIR/backups yet: sudo bash $OPS_DIR/backup.sh"
step backup "Restoring $(readlink -f -- "$archive") on trial"
work=$(mktemp -d)
trap 'rm -rf -- "$work"' EXIT
mkdir -- "$work/content" "$work/data" "$work/config"
cp -- "$archive" "$work/archive"
hours=$((($(date +%s) - $(stat --dereference --format=%Y -- "$archive")) / 3600))
open_archive "$work/archive" "$work/content" || die 65 'The archive is not whole. Make a new one with backup.sh, and find out what damaged this one.'
for file in "$work/content"/hub-*.tar.gz; do
  port=${file##*/hub-}
  HUB_ROOT=$work hub_data "${port%.tar.gz}" restore "$file" >"$work/said" 2>&1 || die 65 "It cannot be restored: $(<"$work/said")"
done
hub_cli config check --config "$work/config" >"$work/said" 2>&1 || die 65 "Its configuration is refused: $(<"$work/said")"
for name in $GENERATED; do
  grep -q "^$name=" "$work/content/.env" || die 65 "Its .env has no $name."
done
if (($# == 0 && hours >= ${BACKUP_MAX_HOURS:-26})); then
  die 75 "It is whole, but $hours hours old: look at why no newer one was made (systemctl list-timers, or the crontab)."
fi
ok "Whole, $hours hours old, restored in $((SECONDS - started)) s: $(tail -n 1 "$work/said")"
