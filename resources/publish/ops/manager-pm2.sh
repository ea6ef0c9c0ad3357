# shellcheck shell=bash disable=SC2016
# PM2 with a daemon of its own, as the hub's user. What each function is for: lib.sh.

pm2_file=$CURRENT/pm2/ecosystem.config.cjs

manager_preflight() {
  need_node
  need_nginx
  need "$PM2" 'npm install --global pm2@7.0.4'
}

# The first call starts the daemon, which must not run in a folder that a later deploy removes.
hub_pm2() {
  (cd / && as_hub "$PM2" "$@")
}

# PM2 takes its time to say what runs.
manager_look() { pm2_list >"$LOOKED.new" && mv -- "$LOOKED.new" "$LOOKED"; }

manager_start() {
  local listed name
  if [[ -f ${LOOKED:-} ]]; then listed=$(<"$LOOKED"); else listed=$(pm2_list) || return 1; fi
  # PM2 7.0.4 starts one again that it ends while that starts, and then loses sight of the next one of the same number, which
  # goes on to serve: whatever does not run ends with its daemon.
  if [[ -n $listed ]] && grep -qv ' running ' <<<"$listed"; then
    manager_stop
  elif ! is_noted "$INSTALL_DIR/.pm2-ports" "$PORTS"; then
    # Those of another number of hubs would hold the ports.
    while read -r _ _ _ name; do
      [[ -z $name || " $(wanted_names) " == *" $name "* ]] || quietly hub_pm2 delete "$name"
    done <<<"$listed"
  fi
  note "$INSTALL_DIR/.pm2-ports" "$PORTS"
  quietly hub_pm2 startOrReload "$pm2_file"
}

manager_reload() { manager_start; }

manager_stop() { quietly hub_pm2 kill; }

manager_status() { pm2_list | cut -d ' ' -f 1-3; }

manager_enable() {
  local file
  file=$(sha256sum <"$pm2_file")
  # What PM2 keeps for the next boot leads through `current`, and is the same for each release with the same process file.
  if ! is_noted "$INSTALL_DIR/.pm2-saved" "$file" || [[ ! -s ${PM2_HOME:-$INSTALL_DIR/data/.pm2}/dump.pm2 ]]; then
    quietly hub_pm2 save
    note "$INSTALL_DIR/.pm2-saved" "$file"
  fi
  if [[ -d $LOGROTATE_DIR ]]; then install -m 0644 "$CURRENT/ops/logrotate.conf" "$LOGROTATE_DIR/mcp-hub"; fi
  install_crontab
  # One that runs as the hub's user alone has no system to change.
  if [[ $(id -un) != "$HUB_USER" && ! -e /etc/systemd/system/pm2-$HUB_USER.service ]]; then
    quietly env "PM2_HOME=$INSTALL_DIR/data/.pm2" "$PM2" startup systemd -u "$HUB_USER" --hp "$INSTALL_DIR/data" 9>&-
  fi
}

# Without its list PM2 brings nothing back.
manager_leave() {
  rm -f -- "${PM2_HOME:-$INSTALL_DIR/data/.pm2}"/dump.pm2{,.bak} "$INSTALL_DIR/.pm2-saved" "$LOGROTATE_DIR/mcp-hub" "$CRON_DIR/mcp-hub"
  if [[ -e /etc/systemd/system/pm2-$HUB_USER.service ]]; then
    quietly "$SYSTEMCTL" disable "pm2-$HUB_USER.service" 9>&- && rm -f -- "/etc/systemd/system/pm2-$HUB_USER.service"
  fi
}

wanted_names() {
  if ((${#HUB_PORTS[@]} == 1)); then
    printf 'mcp-hub'
  else
    printf 'mcp-hub-%s ' "${HUB_PORTS[@]}"
  fi
}

# One line a hub: PORT PID STATE NAME. PM2 prints what it does about its daemon before the list.
pm2_list() {
  hub_pm2 jlist | "$NODE" -e '
    const text = require("node:fs").readFileSync(0, "utf8")
    const all = JSON.parse(text.slice(text.search(/^\[/m))).filter(({ name }) => /^mcp-hub(?:-\d+)?$/.test(name))
    const state = { online: "running", launching: "starting", "waiting restart": "starting", stopping: "starting" }
    // The third time it waits 450 ms (200, 300, 450), however long each start took.
    const crashed = ({ pm2_env }) => pm2_env.unstable_restarts > 2 || pm2_env.prev_restart_delay >= 450 || pm2_env.exit_code === 78
    // As one text: with FORCE_COLOR, node would colour a number.
    for (const app of all)
      console.log([app.pm2_env.PORT ?? app.pm2_env.env.PORT, app.pid, crashed(app) ? "failed" : state[app.pm2_env.status] ?? "failed", app.name].join(" "))
  '
}
