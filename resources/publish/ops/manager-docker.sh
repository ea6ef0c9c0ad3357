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

# compose ARGUMENT…: with the file of the release in use, and images of its name, so that the way back needs no build.
compose() {
  HUB_UID=$(id -u "$HUB_USER") HUB_GID=$(id -g "$HUB_USER") MCP_HUB_RELEASE=$(name_of "$CURRENT") \
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
  quietly compose config --quiet || return 1
  for image in hub web; do
    "$DOCKER" image inspect "mcp-hub-$image:$(name_of "$CURRENT")" >/dev/null 2>&1 9>&- || quietly compose build "$image" || return 1
  done
}

# Where the services are the same but for their images, each hub by itself: compose would start web anew with them, and only after
# Docker's own look at them, every ten seconds. Of several hubs one after the other, so that the others answer meanwhile.
manager_reload() {
  local at=0 port web
  web=$(compose ps --quiet web 2>/dev/null)
  if [[ -z $web ]] || ! is_noted "$INSTALL_DIR/.services" "$(services)"; then
    manager_start
    return
  fi
  make_ready || return 1
  for port in "${HUB_PORTS[@]}"; do
    at=$((at + 1))
    quietly compose up --detach --no-build --no-deps "$(hub_service "$at")" || return 1
    if ((at < ${#HUB_PORTS[@]})); then until_ready "$port" || return 1; fi
  done
  # The same web under the name of another release stays; it finds the new address of a hub within a second.
  [[ $(image_of "$web") == "$(image_of "mcp-hub-web:$(name_of "$CURRENT")")" ]] || quietly compose up --detach --no-build --no-deps web
}

# What compose would make of the file and of .env, whatever release it is of; and the certificate, which nginx reads at its start.
services() {
  {
    sed 's/:-[^}]*}/}/' -- "$CURRENT/docker/compose.yaml" && cat -- "$ENV_FILE" && id -u "$HUB_USER" && id -g "$HUB_USER"
    cat -- "$CERTIFICATE" 2>/dev/null || true
  } | sha256sum
}

# image_of CONTAINER|IMAGE: by content.
image_of() {
  "$DOCKER" container inspect --format '{{.Image}}' "$1" 2>/dev/null 9>&- || "$DOCKER" image inspect --format '{{.Id}}' "$1" 2>/dev/null 9>&-
}

until_ready() {
  local deadline=$((SECONDS + ${HEALTH_SECONDS:-60}))
  until hub_ready "$1"; do
    if ((SECONDS >= deadline)); then
      say "The hub of port $1 did not become ready, and the others were left as they are."
      return 1
    fi
    sleep 0.1
  done
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

hub_container() {
  compose ps --all --quiet "$(hub_service "$1")" 2>/dev/null
}

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

# No port of a hub is published: asked from inside, as its own check does.
hub_ready() {
  local at=0 port
  for port in "${HUB_PORTS[@]}"; do
    at=$((at + 1))
    [[ $port != "$1" ]] || break
  done
  "$DOCKER" exec "$(hub_container "$at")" node -e \
    'fetch("http://127.0.0.1:3000/health/ready").then(({ ok }) => process.exit(ok ? 0 : 1), () => process.exit(1))' >/dev/null 2>&1 9>&-
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
