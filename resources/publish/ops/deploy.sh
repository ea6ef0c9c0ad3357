#!/usr/bin/env bash
# sudo bash ops/deploy.sh [--dry-run] [--config keep|replace] [--rotate NAME,…]
#
# Brings the release that this folder is into use: the first time it installs everything, later it upgrades. Whatever fails before
# the switch changes nothing; whatever fails after it puts the release before back.
#   --dry-run            says what would be done
#   --config keep        leaves the configuration of this machine as it is
#   --config replace     takes the published one, although the one here was changed by somebody else; a broken one is put aside
#   --rotate NAME,…      new values for secrets that are generated here, such as MCP_HUB_TOKEN
# Ends with 0 done, 64 the command line, 65 the bundle is damaged, 69 something is missing here, 73 the configuration here was
# changed since the last publish, 75 not healthy and the release before put back, 76 not healthy, and what was put back is not either,
# 78 the configuration is refused.

. "$(dirname -- "${BASH_SOURCE[0]}")/lib.sh"
. "$OPS_DIR/switch.sh"
. "$OPS_DIR/preflight.sh"
. "$OPS_DIR/encryption.sh"
load_manager

config_choice=check rotate='' dry_run=''
while (($# > 0)); do
  case $1 in
    --dry-run) dry_run=yes ;;
    --config | --rotate)
      (($# > 1)) || usage "$1 needs a value."
      if [[ $1 == --config ]]; then config_choice=$2; else rotate=$2; fi
      shift
      ;;
    --help)
      sed -n '2,/^$/s/^# \{0,1\}//p' "$OPS_DIR/deploy.sh"
      exit 0
      ;;
    *) usage "Unknown option $1. There are --dry-run, --config keep|replace and --rotate NAME,…" ;;
  esac
  shift
done
case $config_choice in check | keep | replace) ;; *) usage '--config is keep or replace.' ;; esac
for name in ${rotate//,/ }; do
  [[ " $GENERATED " == *" $name "* ]] || usage "--rotate makes new values for ${GENERATED// /, } only; $name is yours to write into $ENV_FILE."
done

# A lost connection must not leave a deploy half done.
trap '' HUP PIPE
trap 'exit 130' INT TERM
trap finish EXIT
work=$(mktemp -d)
begun='' aside='' sound_config=''

finish() {
  local code=$?
  trap - EXIT
  trap '' INT TERM
  set +e
  if [[ $code != 0 && -n $begun ]]; then
    if is_unproven; then
      code=75
      step rollback 'Putting back what was in force before'
      if switch_back; then
        ok "$(name_of "$CURRENT") runs again. What went wrong is told above, and in $INSTALL_DIR/logs."
      elif [[ -e $CURRENT ]]; then
        code=76
        report failed "$(name_of "$CURRENT") was put back, but is not healthy either: see $INSTALL_DIR/logs."
      else
        ok "Nothing was there before: the hubs were stopped. What went wrong is told above, and in $INSTALL_DIR/logs."
      fi
    else
      if [[ -f $BEFORE/.env ]]; then mv -f -- "$BEFORE/.env" "$ENV_FILE"; fi
      give_back || code=76
    fi
  fi
  rm -rf -- "$work"
  if [[ -n $sound_config ]]; then as_hub rm -rf -- "$sound_config"; fi
  exit "$code"
}

step preflight "Looking at release $RELEASE and at this machine"
check_bundle
check_signature "$work"
need_root
if [[ -d $INSTALL_DIR ]]; then lock; fi
check_machine
before=$(proven_release)
ok 'The bundle is whole, and nothing is missing here.'

step config 'Comparing the configuration'
choose_config "$config_choice" "$work"
ok "$config_message"

if [[ -n $dry_run ]]; then
  for STEP in backup secrets switch start health smoke; do skip "Not done (--dry-run): $(would "$STEP")"; done
  exit 0
fi
make_folders
if [[ ! -e $INSTALL_DIR/.lock ]]; then lock; fi
take_release

step backup 'Keeping what is there'
if [[ $config_choice == replace && -n $config_folder ]]; then put_aside "$work"; fi
if [[ -z $before ]]; then
  skip 'Nothing is there yet.'
else
  # By its own scripts, which know where its data is and who runs its database.
  MCP_HUB_STEPS='' HUB_CONFIG=$sound_config bash "$INSTALL_DIR/releases/$before/ops/backup.sh" >&2 9>&- || die 69 'The backup failed, so nothing was changed. The reason is above.'
  ok "$(readlink -f -- "$INSTALL_DIR/backups/latest")${aside:+; the configuration, which was broken: $aside}"
fi

step secrets "Completing $ENV_FILE"
keep_before "${aside:+$config_folder}"
begun=yes
complete_environment "$rotate"
ok "$environment_message"

step switch "Turning $CURRENT to $RELEASE"
make_certificate
if [[ -n $before ]]; then share_data "$before"; fi
switch_to "$RELEASE" "$config_folder"
ok "Before: ${before:-nothing}."

step start 'Starting the hubs'
manager_reload || die 75 'The hubs could not be started. The reason is above.'
reload_nginx || die 75 'nginx does not take the site. The reason is above.'
ok "${#HUB_PORTS[@]} on ${PORTS// /, }, run by $MODE."

step health 'Waiting until they are healthy'
wait_healthy || die 75 'The new release did not become healthy.'
ok 'Each is ready and stays.'

step smoke 'Trying what people and clients do'
MCP_HUB_STEPS='' bash "$OPS_DIR/smoke.sh" >&2 9>&- || die 75 'It runs, but does not do what it should. The reason is above.'
settle
begun=''
ok 'Health, sign-in page, MCP in both eras, events and headers are right.'
if declare -F manager_enable >/dev/null; then manager_enable; fi
remove_old_releases
