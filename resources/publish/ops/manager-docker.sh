# shellcheck shell=bash
# Docker Compose: the hubs and nginx in containers, their folders those of this machine. What each function is for: lib.sh.

# nginx in its image; it must be able to read the key.
nginx_user=101

manager_preflight() {
  need_node
  need "$DOCKER" 'See README.md, "Docker".'
  quietly "$DOCKER" info 9>&- || die 69 'Docker does not answer: is it running, and may this user talk to it? The reason is above.'
  quietly "$DOCKER" compose version 9>&- || die 69 'Docker has no compose here: apt-get install --yes docker-compose-plugin, 2.20 or later.'
}

# compose ARGUMENT…: with the file of the release in use, and images of its name, so that the way back needs no build. A hub reads
# .env when it is made, and web its certificate: with another one they are made anew.
compose() {
  MCP_HUB_ENVIRONMENT=$(sha256sum <"$ENV_FILE") MCP_HUB_CERTIFICATE=$(sha256sum 2>/dev/null <"$CERTIFICATE") HUB_UID=$(id -u "$HUB_USER") HUB_GID=$(id -g "$HUB_USER") MCP_HUB_RELEASE=$(name_of "$CURRENT") \
    "$DOCKER" compose --env-file "$ENV_FILE" --file "$CURRENT/docker/compose.yaml" "$@" 9>&-
}

manager_start() {
  make_ready || return 1
  rm -f -- "$INSTALL_DIR/.services"
  quietly compose up --detach --no-build --remove-orphans || return 1
  note "$INSTALL_DIR/.services" "$(services)"
}

# What must be there before a container is touched.
make_ready() {
  local image
  # Its ports are those of the nginx in the container.
  leave_site || return 1
  if [[ $OWN_CERTIFICATE == no && $(id -u) == 0 ]]; then chown "$nginx_user:$nginx_user" "$CERTIFICATE" "$CERTIFICATE_KEY"; fi
  if "$DOCKER" image inspect "$(image_for hub)" "$(image_for web)" >/dev/null 2>&1 9>&-; then return 0; fi
  for image in hub web; do
    "$DOCKER" image inspect "$(image_for "$image")" >/dev/null 2>&1 9>&- || quietly compose build "$image" || return 1
  done
}

image_for() { printf 'mcp-hub-%s:%s' "$1" "$(name_of "$CURRENT")"; }

# Where all runs and the services are the same but for their images: each new hub is started beside the one that it follows, which
# is told to end once all new ones are ready. nginx finds both by the one name, and asks the other where one refuses.
manager_reload() {
  local running old=() names=() scale=() new=()
  running=$(containers)
  if ! is_noted "$INSTALL_DIR/.services" "$(services)" || ! all_run <<<"$running"; then
    manager_start
    return
  fi
  make_ready || return 1
  look_for_old <<<"$running"
  if ! start_beside "$running"; then
    # Nothing else was touched: those that were there go on.
    "$DOCKER" rm --force "${new[@]}" >/dev/null 2>&1 9>&- || true
    return 1
  fi
  # SIGINT: it need not announce its end for long.
  ((${#old[@]} == 0)) || quietly "$DOCKER" kill --signal INT "${old[@]}" 9>&- || true
  change_web <<<"$running" || return 1
  if ((${#old[@]} > 0)); then
    quietly timeout 60 "$DOCKER" wait "${old[@]}" 9>&- || say 'A hub of the release before did not end in time, and is ended.'
    quietly "$DOCKER" rm --force "${old[@]}" 9>&-
  fi
}

# Those of another release, in `old`, and of which hubs there is none of this one, in `names`, with how many each will be in `scale`.
look_for_old() {
  local at name service id image all count kept
  all=$(cat)
  for ((at = 1; at <= ${#HUB_PORTS[@]}; at++)); do
    name=$(hub_service "$at") count=0 kept=''
    while read -r service id _ image; do
      [[ $service == "$name" ]] || continue
      count=$((count + 1))
      # What was built anew under the same name is shown by its number.
      if [[ $image == "$(image_for hub)" ]]; then kept=yes; else old+=("$id"); fi
    done <<<"$all"
    if [[ -z $kept ]]; then names+=("$name") scale+=(--scale "$name=$((count + 1))"); fi
  done
}

# start_beside BEFORE: of the services in `names` one container more, in `new`, each ready.
start_beside() {
  local service id code=0
  ((${#names[@]} > 0)) || return 0
  quietly compose up --detach --no-build --no-deps --no-recreate "${scale[@]}" "${names[@]}" || code=1
  while read -r service id _; do
    if [[ $service == hub* && $1 != *" $id "* ]]; then new+=("$id"); fi
  done < <(containers)
  for id in "${new[@]}"; do
    ((code == 0)) && until_ready "$id" || return 1
  done
  return "$code"
}

# The same web under the name of another release stays; it finds the address of another hub within a second.
change_web() {
  local image
  image=$(sed -n 's/^web [^ ]* [^ ]* //p')
  [[ $("$DOCKER" image inspect --format '{{.Id}}' "$image" "$(image_for web)" 9>&- | uniq | wc -l) == 1 ]] ||
    quietly compose up --detach --no-build --no-deps web
}

# Whether each service that is wanted runs, a store beside the hubs as well.
all_run() {
  local all at name wanted=(web)
  all=$(cat)
  for ((at = 1; at <= ${#HUB_PORTS[@]}; at++)); do wanted+=("$(hub_service "$at")"); done
  for name in "${wanted[@]}" $(env_value COMPOSE_PROFILES | tr ',' ' '); do
    grep -q "^$name [^ ]* running " <<<"$all" || return 1
  done
}

# One line a container, the newest first: SERVICE ID STATE IMAGE. Compose itself takes its time to say so.
containers() {
  local label=com.docker.compose
  "$DOCKER" ps --all --no-trunc --filter "label=$label.project=mcp-hub" --filter "label=$label.oneoff=False" \
    --format "{{.Label \"$label.service\"}} {{.ID}} {{.State}} {{.Image}}" 9>&-
}

# What compose would make of the file and of .env, whatever release it is of; and the certificate, which nginx reads at its start.
services() {
  {
    sed 's/:-[^}]*}/}/' -- "$CURRENT/docker/compose.yaml" && cat -- "$ENV_FILE" && id -u "$HUB_USER" && id -g "$HUB_USER"
    cat -- "$CERTIFICATE" 2>/dev/null || true
  } | sha256sum
}

# until_ready CONTAINER: asked from inside, many times by one call.
until_ready() {
  local deadline=$((SECONDS + ${HEALTH_SECONDS:-60}))
  until ask_inside "$1" $((deadline - SECONDS)); do
    if ((SECONDS >= deadline)) || [[ $(container_state "$1") == failed ]]; then
      say 'A new hub did not become ready, and those that run were left as they are. What it said last:'
      "$DOCKER" logs --tail 20 "$1" >&2 9>&- || true
      return 1
    fi
    sleep 0.1
  done
}

# ask_inside CONTAINER [SECONDS]: no port of a hub is published.
ask_inside() {
  "$DOCKER" exec "$1" node -e '
    const until = Date.now() + 1000 * Number(process.argv[1])
    const isReady = () => fetch("http://127.0.0.1:3000/health/ready").then(({ ok }) => ok, () => false)
    const ask = async () => {
      if (await isReady()) process.exit(0)
      if (Date.now() >= until) process.exit(1)
      setTimeout(ask, 50)
    }
    void ask()
  ' "${2:-0}" >/dev/null 2>&1 9>&-
}

manager_stop() { quietly compose down --remove-orphans; }

# A process in a container has no place here that could be looked at; its image is named after its release.
manager_status() {
  local at=0 port id
  for port in "${HUB_PORTS[@]}"; do
    at=$((at + 1))
    id=$(hub_container "$at")
    printf '%s - %s\n' "$port" "$(container_state "$id")"
  done
}

hub_container() { containers | sed -n "s/^$(hub_service "$1") \([^ ]*\) .*/\1/p" | head -n 1; }

hub_service() { if ((${#HUB_PORTS[@]} == 1)); then echo hub; else echo "hub-$1"; fi; }

container_state() {
  local status restarts code image
  read -r status restarts code image < <("$DOCKER" inspect --format '{{.State.Status}} {{.RestartCount}} {{.State.ExitCode}} {{.Config.Image}}' "$1" 2>/dev/null 9>&-) ||
    status=missing
  case $status in
    running) [[ $image == "mcp-hub-hub:$(name_of "$CURRENT")" ]] && echo running || echo starting ;;
    # 78: its configuration is refused, which no other start will change.
    restarting) ((restarts > 3 || code == 78)) && echo failed || echo starting ;;
    created) echo starting ;;
    *) echo failed ;;
  esac
}

hub_ready() {
  local at=0 port
  for port in "${HUB_PORTS[@]}"; do
    at=$((at + 1))
    [[ $port != "$1" ]] || break
  done
  ask_inside "$(hub_container "$at")"
}

# Of this machine only the two ports of nginx are taken.
check_ports() {
  local port
  for port in "$HTTP_PORT" "$HTTPS_PORT"; do
    if (: <>"/dev/tcp/${LISTEN_ADDRESS:-127.0.0.1}/$port") 2>/dev/null; then
      die 69 "Port $port is in use: ss -ltnp shows by whom. End that, or publish with another --http-port or --https-port."
    fi
  done
}
