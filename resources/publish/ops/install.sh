#!/usr/bin/env bash
# sudo bash ops/install.sh: deploy.sh, for a machine that has no hub yet. Options: as deploy.sh.

. "$(dirname -- "${BASH_SOURCE[0]}")/lib.sh"

[[ ! -e $CURRENT ]] || usage "There is a hub in $INSTALL_DIR already: sudo bash $OPS_DIR/upgrade.sh"
exec bash "$OPS_DIR/deploy.sh" "$@"
