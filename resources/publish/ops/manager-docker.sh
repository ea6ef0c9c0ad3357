# shellcheck shell=bash
# Docker Compose: the hubs and nginx in containers, their folders those of this machine. What each function is for: lib.sh.

# nginx in its image; it must be able to read the key.
nginx_user=101
# What compose calls its container.
web=mcp-hub-web-1
# SERVICE ID ADDRESS of a container.
place='{{index .Config.Labels "com.docker.compose.service"}} {{.Id}} {{(index .NetworkSettings.Networks "mcp-hub_internal").IPAddress}}'

manager_preflight() {
  need_node
  need "$DOCKER" 'See README.md, "Docker".'
  quietly "$DOCKER" info 9>&- || die 69 'Docker does not answer: is it running, and may this user talk to it? The reason is above.'
  quietly "$DOCKER" compose version 9>&- || die 69 'Docker has no compose here: apt-get install --yes docker-compose-plugin, 2.20 or later.'
}

# compose ARGUMENT…: with the file of the release in use, and images of its name, so that the way back needs no build. A hub reads
# .env when it is made, and web its certificate: with another one they are made anew.
compose() {
  MCP_HUB_ENVIRONMENT=$(environment | sha256sum) MCP_HUB_CERTIFICATE=$(sha256sum 2>/dev/null <"$CERTIFICATE") HUB_UID=$(id -u "$HUB_USER") HUB_GID=$(id -g "$HUB_USER") MCP_HUB_RELEASE=$(name_of "$CURRENT") \
    "$DOCKER" compose --env-file "$ENV_FILE" --file "$CURRENT/docker/compose.yaml" "$@" 9>&-
}

# .env, and what is in the files that it names.
environment() {
  local name file
  cat -- "$ENV_FILE" || return 1
  for name in "${FILE_VARIABLES[@]}"; do
    file=$(env_value "${name}_FILE")
    if [[ -n $file ]]; then cat -- "$file" || return 1; fi
  done
}

manager_start() {
  make_ready || return 1
  rm -f -- "$INSTALL_DIR/.services"
  remove_others <<<"$(containers)" || return 1
  quietly compose up --detach --no-build --remove-orphans || return 1
  name_hubs <<<"$(containers)" || return 1
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

image_for() { printf 'mcp-hub-%s:%s' "$1" "${IMAGES_OF:-$(name_of "$CURRENT")}"; }

# Before `current` is turned: of the release that these scripts are of.
manager_look() {
  containers >"$LOOKED.new" && IMAGES_OF=$RELEASE image_ids <"$LOOKED.new" >"$LOOKED.images" && mv -- "$LOOKED.new" "$LOOKED"
}

# Where all runs and the services are the same but for their images: each new hub is started beside the one that it follows, and gets
# its name once it is ready. nginx asks who has the name; the one before is told to end when nobody is sent to it any more, ends its
# calls by itself, and stays where it is for the way back.
manager_reload() {
  local all images old=() ending=() again=() useless=() names=() scale=() new=() places addresses=()
  if [[ -f ${LOOKED:-} ]]; then all=$(<"$LOOKED") images=$(<"$LOOKED.images"); else all=$(containers) images=''; fi
  if ! is_noted "$INSTALL_DIR/.services" "$(services)" || ! all_run <<<"$all"; then
    manager_start
    return
  fi
  [[ -n $images ]] || images=$(image_ids <<<"$all") || { make_ready && images=$(image_ids <<<"$all"); } || return 1
  look_for_old <<<"$all"
  if ((${#old[@]} > 0)); then
    if ! start_beside || ! hand_over; then
      say 'The hubs that run were left as they are.'
      quietly "$DOCKER" stop --time 5 "${new[@]}" 9>&- || true
      return 1
    fi
    # SIGINT: it need not announce its end for long. What has not ended after its time is ended.
    { "$DOCKER" kill --signal INT "${old[@]}"; "$DOCKER" stop "${old[@]}"; } >/dev/null 2>&1 9>&- &
  fi
  # The same web under the name of another release stays.
  [[ $(head -n 2 <<<"$images" | uniq | wc -l) == 1 ]] || quietly compose up --detach --no-build --no-deps web
}

# Those in use that are of another release, in `old`; of which hubs one of this release is there and can be started `again`, and which
# must be made, in `names`. Others are `useless`; one of them may be `ending` still.
look_for_old() {
  local at service id state image called found all
  all=$(cat)
  for ((at = 1; at <= ${#HUB_PORTS[@]}; at++)); do
    # What was built anew under the same name is shown by its number.
    if grep -qx "[^ ]* [^ ]* [^ ]* $(image_for hub) $(in_use "$at")" <<<"$all"; then continue; fi
    found=''
    while read -r service id state image called; do
      [[ $service == "$(hub_service "$at")" ]] || continue
      if [[ $called == "$(in_use "$at")" ]]; then
        old+=("$id")
        continue
      fi
      [[ $state == exited || $state == created ]] || ending+=("$id")
      if [[ $image == "$(image_for hub)" && -z $found ]]; then found=$id; else useless+=("$id"); fi
    done <<<"$all"
    if [[ -n $found ]]; then again+=("$found"); else names+=("$(hub_service "$at")") scale+=(--scale "$(hub_service "$at")=2"); fi
  done
}

# Of each hub in `old` one more, in `new`, that is ready.
start_beside() {
  local service id image called
  if ((${#ending[@]} > 0)); then quietly "$DOCKER" stop "${ending[@]}" 9>&- || return 1; fi
  if ((${#useless[@]} > 0)); then quietly "$DOCKER" rm --force "${useless[@]}" 9>&- || return 1; fi
  new=("${again[@]}")
  all_at_once start < <(printf '%s\n' "${again[@]}") || return 1
  if ((${#names[@]} > 0)); then
    quietly compose up --detach --no-build --no-deps --no-recreate "${scale[@]}" "${names[@]}" || return 1
    while read -r service id _ image called; do
      if [[ " ${names[*]} " == *" $service "* && $image == "$(image_for hub)" && $called != *-in-use ]]; then new+=("$id"); fi
    done < <(containers)
  fi
  until_ready
}

# Those in `new`; fills `places` with SERVICE ID ADDRESS of each.
until_ready() {
  local deadline=$((SECONDS + ${HEALTH_SECONDS:-60})) id
  while ((SECONDS < deadline)); do
    places=$("$DOCKER" inspect --format "$place" "${new[@]}" 9>&-) || return 1
    mapfile -t addresses < <(cut -d ' ' -f 3 <<<"$places")
    if in_web ready 2 "${addresses[@]}"; then return 0; fi
    for id in "${new[@]}"; do if [[ $(container_state "$id") == failed ]]; then break 2; fi; done
  done
  say 'A new hub did not become ready. What was said last:'
  for id in "${new[@]}"; do "$DOCKER" logs --tail 20 "$id" >&2 9>&- || true; done
  return 1
}

# From here on the names lead to those in `new`, and nginx knows that.
hand_over() {
  local id service asked
  in_web handed-over 10 "${addresses[@]}" 9>&- &
  asked=$!
  all_at_once rename < <(for id in "${old[@]}"; do echo "$id mcp-hub-before-${id:0:12}"; done) || return 1
  all_at_once rename < <(while read -r service id _; do echo "$id mcp-hub-$service-in-use"; done <<<"$places") || return 1
  if wait "$asked"; then seen_ready=yes; else say 'nginx did not ask the new hubs alone in time; it will.'; fi
}

# all_at_once COMMAND: docker COMMAND with the words of each line of its input, beside each other.
all_at_once() {
  local words running=() one code=0
  while read -ra words; do
    ((${#words[@]} > 0)) || continue
    quietly "$DOCKER" "$1" "${words[@]}" 9>&- &
    running+=("$!")
  done
  for one in "${running[@]}"; do wait "$one" || code=1; done
  return "$code"
}

# The one that compose has made gets the name.
name_hubs() {
  local at id all
  all=$(cat)
  for ((at = 1; at <= ${#HUB_PORTS[@]}; at++)); do
    if grep -q " $(in_use "$at")$" <<<"$all"; then continue; fi
    id=$(sed -n "s/^$(hub_service "$at") \([^ ]*\) .*/\1/p" <<<"$all" | head -n 1)
    quietly "$DOCKER" rename "$id" "$(in_use "$at")" 9>&- || return 1
  done
}

# Those beside the ones in use: compose would count them.
remove_others() {
  local at id state called all others=()
  all=$(cat)
  for ((at = 1; at <= ${#HUB_PORTS[@]}; at++)); do
    while read -r id state _ called; do
      # Whoever called compose himself has one without a name.
      if [[ $called != "$(in_use "$at")" ]] && { [[ $state != running ]] || grep -q " $(in_use "$at")$" <<<"$all"; }; then others+=("$id"); fi
    done < <(sed -n "s/^$(hub_service "$at") //p" <<<"$all")
  done
  if ((${#others[@]} > 0)); then quietly "$DOCKER" stop "${others[@]}" 9>&- && quietly "$DOCKER" rm --force "${others[@]}" 9>&-; fi
}

# By content: the web that runs, that of the release in use, and whether there is a hub of it.
image_ids() {
  "$DOCKER" image inspect --format '{{.Id}}' "$(sed -n 's/^web [^ ]* [^ ]* \([^ ]*\) .*/\1/p')" "$(image_for web)" "$(image_for hub)" 2>/dev/null 9>&-
}

# Whether each service that is wanted runs, a store beside the hubs as well, and each hub has its name.
all_run() {
  local all at name
  all=$(cat)
  for name in web $(env_value COMPOSE_PROFILES | tr ',' ' '); do
    grep -q "^$name [^ ]* running " <<<"$all" || return 1
  done
  for ((at = 1; at <= ${#HUB_PORTS[@]}; at++)); do
    grep -q "^$(hub_service "$at") [^ ]* running [^ ]* $(in_use "$at")$" <<<"$all" || return 1
  done
}

# One line a container, the newest first: SERVICE ID STATE IMAGE NAME. Compose itself takes its time to say so.
containers() {
  local label=com.docker.compose
  "$DOCKER" ps --all --no-trunc --filter "label=$label.project=mcp-hub" --filter "label=$label.oneoff=False" \
    --format "{{.Label \"$label.service\"}} {{.ID}} {{.State}} {{.Image}} {{.Names}}" 9>&-
}

# What compose would make of the file and of .env, whatever release it is of; and the certificate, which nginx reads at its start.
services() {
  {
    sed 's/:-[^}]*}/}/' -- "$CURRENT/docker/compose.yaml" && environment && id -u "$HUB_USER" && id -g "$HUB_USER"
    cat -- "$CERTIFICATE" 2>/dev/null || true
  } | sha256sum
}

# in_web COMMAND SECONDS…: many questions by one call; no port of a hub is published.
in_web() { "$DOCKER" exec --interactive "$web" bash -s -- "$@" <"$OPS_DIR/in-web.sh" >/dev/null 2>&1 9>&-; }

manager_stop() { quietly compose down --remove-orphans; }

# Docker itself brings the containers back after a reboot.
manager_enable() { install_crontab; }

manager_leave() { rm -f -- "$CRON_DIR/mcp-hub"; }

manager_stores() {
  local stores
  read -ra stores <<<"$(env_value COMPOSE_PROFILES | tr ',' ' ')"
  if ((${#stores[@]} > 0)); then quietly compose up --detach --wait "${stores[@]}"; fi
}

# A process in a container has no place here that could be looked at; its image is named after its release.
manager_status() {
  local at=0 port
  for port in "${HUB_PORTS[@]}"; do
    at=$((at + 1))
    printf '%s - %s\n' "$port" "$(container_state "$(in_use "$at")")"
  done
}

# What the container is called whose hub is in use, by which nginx asks for it.
in_use() { printf 'mcp-hub-%s-in-use' "$(hub_service "$1")"; }

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

# As clients reach them; the first time what was seen a moment before counts.
all_ready() {
  local pools=(mcp_hub) at
  if [[ -n ${seen_ready:-} ]]; then
    seen_ready=''
    return 0
  fi
  if ((${#HUB_PORTS[@]} > 1)); then for ((at = 1; at <= ${#HUB_PORTS[@]}; at++)); do pools+=("mcp_hub_$at"); done; fi
  in_web pools 0 "${pools[@]}"
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
