# shellcheck shell=bash disable=SC2034,SC2153
# What each script here begins with: the target, how steps are told, and how the outside is called.
# What differs from target to target is in target.env; what differs on this machine can be set in the environment:
# HUB_USER, and the programs below, each as one command without arguments.
set -Eeuo pipefail
umask 022
export LC_ALL=C

CALLED_FROM=$PWD
OPS_DIR=$(cd -- "$(dirname -- "${BASH_SOURCE[0]}")" && pwd -P)
BUNDLE_DIR=${OPS_DIR%/ops}
given_user=${HUB_USER:-}
# shellcheck source=/dev/null
. "$OPS_DIR/target.env" || exit 65
HUB_USER=${given_user:-$HUB_USER}
# A shell of cron, or one that ssh starts, knows few folders.
PATH=$PATH:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
NODE=${NODE:-node}
NGINX=${NGINX:-nginx}
PM2=${PM2:-pm2}
DOCKER=${DOCKER:-docker}
CURL=${CURL:-curl}
PG_DUMP=${PG_DUMP:-pg_dump}
PG_RESTORE=${PG_RESTORE:-pg_restore}
PSQL=${PSQL:-psql}
AGE=${AGE:-age}
SYSTEMCTL=${SYSTEMCTL:-systemctl}
NGINX_CONF_DIR=${NGINX_CONF_DIR:-/etc/nginx/conf.d}
LOGROTATE_DIR=${LOGROTATE_DIR:-/etc/logrotate.d}
CRON_DIR=${CRON_DIR:-/etc/cron.d}
CURRENT=$INSTALL_DIR/current
ENV_FILE=$INSTALL_DIR/.env
read -ra HUB_PORTS <<<"$PORTS"
# The hub's user may not be allowed to read the folder that this was called from.
cd "$BUNDLE_DIR"

# --- What is told -----------------------------------------------------------------------------------------------------
# For people `==> text`; with MCP_HUB_STEPS=json one JSON line a step on stdout, and everything else on stderr.

STEP=''

json_text() {
  local text=$1
  text=${text//\\/\\\\}
  text=${text//\"/\\\"}
  text=${text//$'\n'/\\n}
  printf '%s' "${text//[[:cntrl:]]/ }"
}

# Whoever listens may go away in the middle; the work goes on.
report() {
  if [[ ${MCP_HUB_STEPS:-} == json ]]; then
    printf '{"step":"%s","state":"%s","message":"%s"}\n' "$STEP" "$1" "$(json_text "$2")" || true
  elif [[ $1 == start ]]; then
    printf '==> %s\n' "$2" || true
  elif [[ $1 != failed ]]; then
    printf '    %s\n' "$2" || true
  fi 2>/dev/null
}

step() {
  STEP=$1
  report start "$2"
}
ok() { report ok "$1"; }
skip() { report skipped "$1"; }
say() { printf '    %s\n' "$1" >&2 || true; }
warn() { say "Warning: $1"; }

# die CODE MESSAGE: what failed, why, and what to do.
die() {
  [[ -z $STEP ]] || report failed "$2"
  printf 'Failed: %s\n' "$2" >&2 || true
  exit "$1"
}

usage() {
  printf '%s\n' "$1" >&2 || true
  exit 64
}

# --- How the outside is called ----------------------------------------------------------------------------------------
# Descriptor 9 holds the lock: a daemon that inherited it would hold it for ever.

as_hub() {
  local clean=(env -i "PATH=$PATH" "HOME=$INSTALL_DIR/data" LANG=C.UTF-8 "PM2_HOME=${PM2_HOME:-$INSTALL_DIR/data/.pm2}")
  if [[ $(id -un) == "$HUB_USER" ]]; then
    "${clean[@]}" "$@" 9>&-
  else
    runuser -u "$HUB_USER" -- "${clean[@]}" "$@" 9>&-
  fi
}

# The command line of the release that this script belongs to.
hub_cli() { "$NODE" "$BUNDLE_DIR/hub/cli.js" "$@" 9>&-; }
as_hub_cli() { as_hub "$NODE" "$BUNDLE_DIR/hub/cli.js" "$@"; }

# hub_data PORT COMMAND…: a command of the hub's command line about what the hub on that port has; HUB_CONFIG names another folder
# than config/.
hub_data() {
  local port=$1 root=${HUB_ROOT:-$INSTALL_DIR}
  shift
  (
    if database_beside; then
      DATABASE_URL=$(database_url_here) || exit
      export DATABASE_URL DATABASE_URL_FILE=''
    fi
    CONFIG_DIR=${HUB_CONFIG:-$root/config} DATA_DIR=$root/data/$port ACCOUNTS_DIR=$root/data/accounts MCP_HUB_SECRETS_FILE=$root/data/secrets.json \
      "$NODE" "--env-file-if-exists=$ENV_FILE" "$BUNDLE_DIR/hub/cli.js" "$@" 9>&-
  )
}

# Whether compose runs the database beside the hubs: a network and a version of PostgreSQL of its own.
database_beside() { [[ $MODE == docker && ",$(env_value COMPOSE_PROFILES)," == *,database,* ]]; }
database_container=mcp-hub-database-1

# Where this machine reaches it: its name is known to its network only. Nothing where it does not run.
database_address() {
  "$DOCKER" inspect --format '{{(index .NetworkSettings.Networks "mcp-hub_internal").IPAddress}}' "$database_container" 2>/dev/null 9>&- || true
}

# DATABASE_URL with that address in the place of the name.
database_url_here() {
  "$NODE" "--env-file=$ENV_FILE" --eval '
    const { DATABASE_URL, DATABASE_URL_FILE } = process.env
    const url = new URL(DATABASE_URL || require("node:fs").readFileSync(DATABASE_URL_FILE, "utf8").trim())
    if (url.hostname === "database") url.hostname = process.argv[1]
    console.log(url.href)
  ' -- "${DATABASE_ADDRESS:-$(database_address)}" 9>&-
}

# A program of PostgreSQL: of this machine, or of the database that compose runs, for which root asks.
# shellcheck disable=SC2016
postgres() {
  if ! database_beside; then
    "$@" 9>&-
    return
  fi
  local program=${1##*/}
  shift
  "$DOCKER" exec --interactive --env PGHOST=127.0.0.1 --env PGUSER=mcp_hub --env PGDATABASE=mcp_hub --env LC_ALL=C "$database_container" \
    bash -c 'PGPASSWORD=$(</run/secrets/database_password) exec "$@"' bash "$program" "$@" 9>&-
}

# Runs a program of PostgreSQL with what DATABASE_URL says, in its environment: the arguments of a program are seen by everybody.
with_database() {
  if database_beside; then
    postgres "$@"
    return
  fi
  "$NODE" "--env-file=$ENV_FILE" --eval '
    const { DATABASE_URL, DATABASE_URL_FILE, PATH, HOME } = process.env
    const url = new URL(DATABASE_URL || require("node:fs").readFileSync(DATABASE_URL_FILE, "utf8").trim())
    const option = (name) => url.searchParams.get(name)
    const given = { PGHOST: option("host") ?? url.hostname, PGPORT: option("port") ?? url.port, PGUSER: url.username, PGPASSWORD: url.password,
      PGDATABASE: url.pathname.slice(1), PGSSLMODE: option("sslmode")?.replace("no-verify", "require"), PGSSLROOTCERT: option("sslrootcert"),
      PGSSLCERT: option("sslcert"), PGSSLKEY: option("sslkey") }
    const env = { PATH, HOME, LC_ALL: "C", PGCONNECT_TIMEOUT: "10" }
    for (const [name, value] of Object.entries(given)) if (value) env[name] = decodeURIComponent(value)
    const [program, ...args] = process.argv.slice(1)
    process.exitCode = require("node:child_process").spawnSync(program, args, { stdio: "inherit", env }).status ?? 1
  ' -- "$@" 9>&-
}

# What may be in a file that .env names by NAME_FILE. No backup holds such a file: who keeps an address out of .env wants no copies.
FILE_VARIABLES=(DATABASE_URL REDIS_URL)

# check_files [ENV_FILE NAME]: the hubs read them as their own user, and backups as well.
check_files() {
  local name file ENV_FILE=${1:-$ENV_FILE}
  local told=${2:-$ENV_FILE}
  for name in "${FILE_VARIABLES[@]}"; do
    file=$(env_value "${name}_FILE")
    [[ -n $file ]] || continue
    [[ -z $(env_value "$name") ]] || die 69 "$name and ${name}_FILE both have a value in $told: empty one of them."
    [[ $file == /* && -s $file ]] || die 69 "${name}_FILE in $told names $file: that must be the whole path of a file with the address in it, which no backup holds."
    id -u "$HUB_USER" >/dev/null 2>&1 || continue
    as_hub test -r "$file" || die 69 "$file cannot be read by the user $HUB_USER: chown root:$(id -gn "$HUB_USER") and chmod 0640 it, in a folder that this user may enter."
  done
}

uses_database() { has_address DATABASE; }

# Which of the services that a hub cannot do without has no address in .env: several without a database would each have a
# configuration and a history of their own, and compose has every store that the target names.
lacking_service() {
  local service
  for service in database redis; do
    if [[ $service == database ]] && ((${#HUB_PORTS[@]} > 1)) || [[ $MODE == docker && " $SERVICES " == *" $service "* ]]; then
      if ! has_address "${service^^}"; then echo "$service"; fi
    fi
  done
}
has_address() {
  local name=${1}_URL
  [[ -n $(env_value "$name")$(env_value "${name}_FILE") ]]
}

check_services() {
  local lacking name why=''
  lacking=$(lacking_service)
  [[ -n $lacking ]] || return 0
  lacking=${lacking%%$'\n'*} name=${lacking^^}_URL
  if [[ $lacking == database ]] && ((${#HUB_PORTS[@]} > 1)); then why=" ${#HUB_PORTS[@]} hubs need a database: with files each would go its own way."; fi
  die 69 "$name is empty in $ENV_FILE.$why Write the address of the service there (.env.example has its form; ${name}_FILE= names a file that has it), and call this again."
}

need_postgres() {
  local program
  if database_beside; then
    [[ -n $(database_address) ]] || die 69 "The database that compose runs beside the hubs does not run: sudo bash $CURRENT/ops/hubs.sh start"
    return 0
  fi
  for program in "$@"; do need "$program" 'apt-get install --yes postgresql-client, of the version of the server or later'; done
}

# Only what is the hub's: others may have tables in the same database.
dump_database() { with_database "$PG_DUMP" --format=custom --table='hub_*' >"$1"; }
# Reads all of it, where --list would look at its beginning only.
check_dump() { quietly postgres "$PG_RESTORE" --file=/dev/null <"$1"; }

# Runs a command, and shows what it said only if it fails. In a file: a daemon that it starts would hold a pipe open.
quietly() {
  local said code=0
  said=$(mktemp)
  "$@" >"$said" 2>&1 || code=$?
  if [[ $code != 0 ]]; then tail -n 40 -- "$said" >&2 || true; fi
  rm -f -- "$said"
  return "$code"
}

need() {
  command -v "$1" >/dev/null || die 69 "$1 is missing on this machine. $2"
}

need_node() {
  local cure='Node 24 or later is needed: see README.md, "Before the first deploy".'
  local found
  found=$("$NODE" --version 2>/dev/null) || die 69 "Node is missing on this machine. $cure"
  local major=${found#v}
  major=${major%%.*}
  if [[ ! $major =~ ^[0-9]+$ ]] || ((major < 24)); then die 69 "Node here is $found. $cure"; fi
  if [[ $(id -un) != "$HUB_USER" ]] && id -u "$HUB_USER" >/dev/null 2>&1; then
    as_hub "$NODE" --version >/dev/null 2>&1 ||
      die 69 "The user $HUB_USER cannot run $(command -v "$NODE"). Install Node where every user may read it, as in README.md."
  fi
}

need_nginx() {
  need "$NGINX" 'apt-get install --yes nginx'
  # Built by somebody else it may call itself otherwise; then nginx -t says what it does not understand.
  local found
  found=$(env -u NGINX "$NGINX" -v 2>&1 9>&- | sed -n 's|.*nginx/\([0-9.]*\).*|\1|p')
  if [[ -n $found && $(printf '%s\n' "$NGINX_VERSION" "$found" | sort --version-sort | head -n 1) != "$NGINX_VERSION" ]]; then
    die 69 "nginx here is $found, and this bundle is for $NGINX_VERSION or later. Install that, or publish for an older one (--nginx)."
  fi
}

# Only the hub's user needs no root, and then only for what belongs to it.
need_root() {
  [[ $(id -u) == 0 || $(id -un) == "$HUB_USER" ]] || die 69 "This needs root: sudo bash $0"
}

# One deploy, rollback or restore at a time; the kernel lets go of it however this ends.
lock() {
  exec 9>"$INSTALL_DIR/.lock"
  flock --nonblock 9 || die 69 'Another deploy, rollback or restore is under way here. Wait until it has ended.'
}

# The value of a variable of .env, for what the shell has to know of it.
env_value() {
  [[ ! -r $ENV_FILE ]] || sed -n "s/^$1=//p" "$ENV_FILE" | tail -n 1 | sed -E "s/^(['\"])(.*)\1\$/\2/"
}

name_of() { basename -- "$(readlink -f -- "$1")"; }

# A file that was named from where the script was called.
given_file() { (cd -- "$CALLED_FROM" && realpath -e -- "$1"); }

# What takes time is not done again for the same reason: is_noted PLACE TEXT, and note PLACE TEXT once it was done.
is_noted() { [[ -f $1 && $(<"$1") == "$2" ]]; }
note() { printf '%s\n' "$2" >"$1"; }

# open_archive FILE FOLDER: unpacks a backup into an empty folder and checks all of it. Only the names that a backup has, and only
# plain files; nothing is written before that was looked at.
open_archive() {
  local members kinds
  members=$(tar --list --file="$1") && kinds=$(tar --list --verbose --file="$1") || return 1
  if grep -qvE '^(\.env|SHA256SUMS|database\.dump|hub-[0-9]{1,5}\.tar\.gz)$' <<<"$members" || grep -qvE '^-[rwx-]+ ' <<<"$kinds" ||
    [[ -n $(sort <<<"$members" | uniq --repeated) ]]; then
    say "It is not a backup of a hub: $(grep -vE '^-[^ ]+ .* (\.env|SHA256SUMS|database\.dump|hub-[0-9]{1,5}\.tar\.gz)$' <<<"$kinds" | head -n 3)"
    return 1
  fi
  tar --extract --file="$1" --directory="$2" --no-same-owner --no-same-permissions || return 1
  local listed
  listed=$(cut -c 67- "$2/SHA256SUMS" | sort) || return 1
  if [[ $listed != "$(grep -v '^SHA256SUMS$' <<<"$members" | sort)" ]] ||
    ! (cd "$2" && quietly sha256sum --check --quiet --strict SHA256SUMS); then
    say 'Its content is damaged, or is not what its list says.'
    return 1
  fi
  local file
  for file in "$2"/hub-*.tar.gz; do quietly hub_cli backup verify "$file" || return 1; done
  # With DUMP_FROM, root has done that already.
  if [[ -f $2/database.dump && -z ${DUMP_FROM:-} ]]; then
    need_postgres "$PG_RESTORE"
    check_dump "$2/database.dump" || return 1
  fi
}

# Turns a link in one step: there is no moment without it.
point() {
  ln -sfn -- "$2" "$1.new"
  mv -T -- "$1.new" "$1"
}

# --- The hubs ---------------------------------------------------------------------------------------------------------
# manager-MODE.sh defines what runs them. A script reads it last: a function of lib.sh, switch.sh or preflight.sh may be defined
# anew there where it differs (hub_cli, hub_ready, make_folders).
#   manager_preflight  ends with 69 and the cure when something is missing
#   manager_start      starts the hubs of `current`
#   manager_reload     the same while others run, without a gap where the manager can
#   manager_stop       stops them
#   manager_stores     optional: starts the stores alone that it runs beside the hubs
#   manager_status     one line a hub: PORT PID STATE, with STATE running, starting or failed, and PID - where there is none here
#   manager_look       optional: asks what manager_start has to know first and keeps it in $LOOKED, beside other work
#   manager_enable     optional: once healthy, so that they come back after a reboot
#   manager_leave      optional: so that they do not, because another program runs them now

load_manager() {
  [[ -f $OPS_DIR/manager-$MODE.sh ]] || usage "A bundle for $MODE is not deployed by this script: README.md has the steps."
  # shellcheck source=/dev/null
  . "$OPS_DIR/manager-$MODE.sh"
}

# look_at_hubs FILE: begins with it; `wait` ends it.
look_at_hubs() {
  LOOKED=$1
  if declare -F manager_look >/dev/null; then manager_look & fi
}

hub_ready() {
  "$CURL" --silent --fail --max-time 3 --output /dev/null "http://127.0.0.1:$1/health/ready"
}

all_ready() {
  local port
  for port in "${HUB_PORTS[@]}"; do hub_ready "$port" || return 1; done
}

# Each hub says that it is ready, is a process of the release in use, and is still there and ready a second after it first said so.
# With BELIEVED, for what was healthy before with the same configuration, the first time is enough.
wait_healthy() {
  local deadline=$((SECONDS + ${HEALTH_SECONDS:-60})) release now='' since left
  release=$(readlink -f -- "$CURRENT")
  while ((SECONDS < deadline)); do
    # In microseconds.
    since=${EPOCHREALTIME/./}
    if all_ready; then
      now=$(manager_status) || now=''
      # One of the old release that is still about to end would answer as well.
      if [[ $(grep -c . <<<"$now") == "${#HUB_PORTS[@]}" ]] && ! grep -qv ' running$' <<<"$now" && of_release "$release" <<<"$now"; then
        if [[ -n ${BELIEVED:-} ]]; then return 0; fi
        left=$((since + 1000000 - ${EPOCHREALTIME/./}))
        if ((left > 0)); then sleep "$(printf '%d.%06d' $((left / 1000000)) $((left % 1000000)))"; fi
        if all_ready && of_release "$release" <<<"$now"; then return 0; fi
      fi
    elif now=$(manager_status) && grep -q ' failed$' <<<"$now"; then
      break
    fi
    sleep 0.05
  done
  say "Not healthy: ${now:-no hub runs}"
  return 1
}

# A hub works in the folder that `current` led to when it was started.
of_release() {
  local pid
  while read -r _ pid _; do
    [[ $pid == - || $(readlink -f -- "/proc/$pid/cwd") == "$1" ]] || return 1
  done
}

# --- nginx ------------------------------------------------------------------------------------------------------------

# Backups, trials of them, and the examination of the servers, where no timers of systemd do that.
install_crontab() {
  if [[ -d $CRON_DIR ]]; then
    install -m 0644 "$CURRENT/ops/crontab" "$CRON_DIR/mcp-hub"
  else
    warn "Nothing makes backups by itself, because there is no cron here: apt-get install --yes cron, then sudo bash $CURRENT/ops/deploy.sh"
  fi
}

uses_nginx() { [[ $MODE != docker ]]; }

default_site=${NGINX_CONF_DIR%/*}/sites-enabled/default
link_site() {
  if [[ -L $default_site ]]; then
    default_was=$(readlink -- "$default_site")
    rm -f -- "$default_site"
    say "Took $default_site away: the site of the hub answers for unknown names itself."
  fi
  point "$NGINX_CONF_DIR/mcp-hub.conf" "$CURRENT/nginx/mcp-hub.conf"
}

# From here on another program has the ports. A site of another folder's hub is not touched.
leave_site() {
  [[ $(readlink -- "$NGINX_CONF_DIR/mcp-hub.conf") == "$CURRENT/nginx/mcp-hub.conf" ]] || return 0
  rm -f -- "$NGINX_CONF_DIR/mcp-hub.conf" "$INSTALL_DIR/.nginx-read"
  # Only what this run took away is put back.
  if [[ -n ${default_was:-} ]]; then ln -s -- "$default_was" "$default_site"; fi
  env -u NGINX "$SYSTEMCTL" is-active --quiet nginx 9>&- || return 0
  quietly env -u NGINX "$SYSTEMCTL" reload-or-restart nginx 9>&-
}

# Only when there is something else to read: a reload resets some of the connections that clients keep.
reload_nginx() {
  uses_nginx || return 0
  local read
  link_site
  read=$(cat -- "$CURRENT"/nginx/*.conf "$CERTIFICATE" 2>/dev/null | sha256sum)
  if is_noted "$INSTALL_DIR/.nginx-read" "$read" && env -u NGINX "$SYSTEMCTL" is-active --quiet nginx 9>&-; then return 0; fi
  rm -f -- "$INSTALL_DIR/.nginx-read"
  # nginx takes a variable of this name for sockets that it inherits.
  quietly env -u NGINX "$NGINX" -t 9>&- || return 1
  quietly env -u NGINX "$SYSTEMCTL" reload-or-restart nginx 9>&- || return 1
  note "$INSTALL_DIR/.nginx-read" "$read"
}
