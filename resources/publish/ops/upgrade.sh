#!/usr/bin/env bash
# sudo bash ops/upgrade.sh: deploy.sh, for a machine that has a hub. Options: as deploy.sh.

. "$(dirname -- "${BASH_SOURCE[0]}")/lib.sh"

[[ -e $CURRENT ]] || usage "There is no hub in $INSTALL_DIR yet: sudo bash $OPS_DIR/install.sh"
exec bash "$OPS_DIR/deploy.sh" "$@"
