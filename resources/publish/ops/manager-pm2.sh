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

manager_start() {
  local name
  # Those of another number of hubs would hold the ports.
  if [[ $(cat -- "$INSTALL_DIR/.pm2-ports" 2>/dev/null) != "$PORTS" ]]; then
    for name in $(pm2_names); do
      [[ " $(wanted_names) " == *" $name "* ]] || quietly hub_pm2 delete "$name"
    done
    printf '%s\n' "$PORTS" >"$INSTALL_DIR/.pm2-ports"
  fi
  quietly hub_pm2 startOrReload "$pm2_file"
}

manager_reload() { manager_start; }

manager_stop() {
  local name
  for name in $(pm2_names); do quietly hub_pm2 delete "$name"; done
}

manager_status() { pm2_list status; }

manager_enable() {
  quietly hub_pm2 save
  if [[ -d $LOGROTATE_DIR ]]; then install -m 0644 "$CURRENT/ops/logrotate.conf" "$LOGROTATE_DIR/mcp-hub"; fi
  # Backups, trials of them, and the examination of the servers.
  if [[ -d $CRON_DIR ]]; then install -m 0644 "$CURRENT/ops/crontab" "$CRON_DIR/mcp-hub"; fi
  # One that runs as the hub's user alone has no system to change.
  if [[ $(id -un) != "$HUB_USER" && ! -e /etc/systemd/system/pm2-$HUB_USER.service ]]; then
    quietly env "PM2_HOME=$INSTALL_DIR/data/.pm2" "$PM2" startup systemd -u "$HUB_USER" --hp "$INSTALL_DIR/data" 9>&-
  fi
}

wanted_names() {
  if ((${#HUB_PORTS[@]} == 1)); then
    printf 'mcp-hub'
  else
    printf 'mcp-hub-%s ' "${HUB_PORTS[@]}"
  fi
}

pm2_names() { pm2_list names; }

# PM2 prints what it does about its daemon before the list.
pm2_list() {
  hub_pm2 jlist | "$NODE" -e '
    const text = require("node:fs").readFileSync(0, "utf8")
    const all = JSON.parse(text.slice(text.search(/^\[/m))).filter(({ name }) => /^mcp-hub(?:-\d+)?$/.test(name))
    const state = { online: "running", launching: "starting", "waiting restart": "starting", stopping: "starting" }
    const crashed = ({ pm2_env }) => pm2_env.unstable_restarts > 2 || pm2_env.exit_code === 78
    for (const app of all)
      console.log(process.argv[1] === "names" ? app.name
        : `${app.pm2_env.PORT ?? app.pm2_env.env.PORT} ${app.pid} ${crashed(app) ? "failed" : state[app.pm2_env.status] ?? "failed"}`)
  ' "$1"
}
