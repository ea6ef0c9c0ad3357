#!/usr/bin/env bash
# sudo bash ops/rollback.sh [RELEASE]
#
# Back to the release before, or to the one that is named. The configuration from before the last deploy comes back with it, unless
# it was changed since; data stays as it is. Called again it goes forward again.
# Ends with 0 done, 64 the command line, 69 there is no such release, 75 not healthy and the release in use kept, 76 not healthy, and
# the one in use is not either, 78 that release refuses the configuration.

. "$(dirname -- "${BASH_SOURCE[0]}")/lib.sh"
. "$OPS_DIR/switch.sh"

(($# <= 1)) || usage 'One release may be named.'
STEP=rollback
need_root
[[ -e $CURRENT ]] || die 69 "There is no hub in $INSTALL_DIR."
to=${1:-}
if [[ -z $to ]]; then
  [[ -e $INSTALL_DIR/previous ]] || die 69 "There is no release before $(name_of "$CURRENT")."
  to=$(name_of "$INSTALL_DIR/previous")
fi
[[ $to =~ ^[A-Za-z0-9][A-Za-z0-9._-]*$ && -f $INSTALL_DIR/releases/$to/ops/target.env ]] ||
  die 69 "There is no release $to here. There are: $(cd "$INSTALL_DIR/releases" && echo *)"
# From here on with the scripts of that release: it may be run by another manager, on other ports.
if [[ $BUNDLE_DIR != "$INSTALL_DIR/releases/$to" ]]; then
  exec bash "$INSTALL_DIR/releases/$to/ops/rollback.sh" "$to"
fi
load_manager

trap '' HUP PIPE
trap 'exit 130' INT TERM
trap finish EXIT
work=$(mktemp -d)
begun=''

finish() {
  local code=$?
  trap - EXIT
  trap '' INT TERM
  set +e
  if [[ $code != 0 && -n $begun ]]; then
    if ! is_unproven; then
      give_back || code=76
    elif code=75 && switch_back; then
      say "$(name_of "$CURRENT") runs again."
    else
      code=76
      say "$(name_of "$CURRENT") was put back, but is not healthy either: see $INSTALL_DIR/logs."
    fi
  fi
  rm -rf -- "$work"
  exit "$code"
}

step rollback "From $(name_of "$CURRENT") to $to"
lock
check_services
look_at_hubs "$work/looked"
config_of_before "$to" "$work"
keep_before "$work/live"
wait
begun=yes
switch_to "$to" "$config_folder"
manager_reload || die 75 'The hubs could not be started. The reason is above.'
reload_nginx || die 75 'nginx does not take the site. The reason is above.'
BELIEVED=$was_healthy
wait_healthy || die 75 'That release did not become healthy.'
settle
begun=''
ok "$to is in use. $config_message"
if declare -F manager_enable >/dev/null; then manager_enable; fi
