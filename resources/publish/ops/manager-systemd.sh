# shellcheck shell=bash
# systemd holds each port by a socket, and starts, watches and ends the hub behind it. What each function is for: lib.sh.

UNIT_DIR=${UNIT_DIR:-/etc/systemd/system}

manager_preflight() {
  need_node
  need_nginx
  need "$SYSTEMCTL" 'There is no systemd here: publish with --mode pm2 or --mode docker.'
  "$SYSTEMCTL" show --property Version >/dev/null 2>&1 || die 69 'systemd does not run here: publish with --mode pm2 or --mode docker.'
  [[ $(id -u) == 0 ]] || die 69 "Units of the system need root: sudo bash $0"
}

# Those that run already are not touched: they keep the release and the port that they have.
manager_start() {
  local name port units wanted=()
  units=$(cat -- "$CURRENT"/systemd/* | sha256sum)
  if ! is_noted "$INSTALL_DIR/.units-read" "$units" || ! same_units; then
    rm -f -- "$INSTALL_DIR/.units-read"
    install -m 0644 -t "$UNIT_DIR" "$CURRENT"/systemd/*
    systemctl_ daemon-reload || return 1
    note "$INSTALL_DIR/.units-read" "$units"
  fi
  # Of a release with other ports.
  for port in $(loaded_ports); do
    [[ " $PORTS " == *" $port "* ]] || systemctl_ stop "mcp-hub@$port.socket" "mcp-hub@$port.service" || return 1
  done
  # One that was given up is started again; starting the target alone would not do that.
  for port in "${HUB_PORTS[@]}"; do wanted+=("mcp-hub@$port.socket" "mcp-hub@$port.service"); done
  for name in "$CURRENT"/systemd/*.timer; do wanted+=("${name##*/}"); done
  "$SYSTEMCTL" reset-failed 'mcp-hub*' >/dev/null 2>&1 9>&- || true
  systemctl_ start mcp-hub.target "${wanted[@]}"
}

# One after the other: meanwhile the others answer, or what comes waits in the socket. Each ends its calls before it ends.
manager_reload() {
  local port running=()
  for port in "${HUB_PORTS[@]}"; do
    if "$SYSTEMCTL" --quiet is-active "mcp-hub@$port.service" 9>&-; then running+=("$port"); fi
  done
  manager_start || return 1
  for port in "${running[@]}"; do systemctl_ restart "mcp-hub@$port.service" || return 1; done
}

manager_stop() {
  local port
  systemctl_ stop mcp-hub.target
  for port in $(loaded_ports); do systemctl_ stop "mcp-hub@$port.socket" "mcp-hub@$port.service"; done
}

manager_status() {
  local port pid active sub restarts state
  for port in "${HUB_PORTS[@]}"; do
    # In this order, whatever the order of asking.
    { read -r pid && read -r restarts && read -r active && read -r sub; } < <(
      "$SYSTEMCTL" show "mcp-hub@$port.service" --property MainPID,NRestarts,ActiveState,SubState 9>&- |
        sed -n 's/^MainPID=/1 /p; s/^NRestarts=/2 /p; s/^ActiveState=/3 /p; s/^SubState=/4 /p' | sort | cut -d ' ' -f 2
    )
    state=failed
    case $active in
      active) state=running ;;
      activating | deactivating | reloading) [[ $sub == auto-restart && $restarts -gt 2 ]] || state=starting ;;
    esac
    [[ $pid != 0 ]] || pid=-
    printf '%s %s %s\n' "$port" "$pid" "$state"
  done
}

manager_enable() {
  "$SYSTEMCTL" --quiet is-enabled mcp-hub.target >/dev/null 2>&1 9>&- || systemctl_ enable mcp-hub.target
}

manager_leave() {
  systemctl_ stop 'mcp-hub-*.timer' && systemctl_ disable mcp-hub.target
}

# Whether those that systemd has are the ones of the release in use.
same_units() {
  local file
  for file in "$CURRENT"/systemd/*; do cmp --silent -- "$file" "$UNIT_DIR/${file##*/}" || return 1; done
}

systemctl_() {
  quietly "$SYSTEMCTL" "$@" 9>&- && return 0
  # Why a unit failed is in the journal, and not in what systemctl says.
  local port
  for port in "${HUB_PORTS[@]}"; do journalctl --no-pager --quiet --lines 20 --output cat --unit "mcp-hub@$port.service" >&2 || true; done
  return 1
}

loaded_ports() {
  "$SYSTEMCTL" list-units --all --plain --no-legend 'mcp-hub@*' 9>&- | sed -n 's/^mcp-hub@\([0-9]*\)\.[a-z]* .*/\1/p' | sort -u
}
