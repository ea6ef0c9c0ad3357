# shellcheck shell=bash disable=SC2034,SC2153
# What deploy.sh looks at before it changes anything, and how it makes the places that a release needs.

check_bundle() {
  local listed
  listed=$(grep -c '"sha256"' manifest.json 2>/dev/null) || true
  if [[ ! -f SHA256SUMS || $(wc -l <SHA256SUMS) != "$listed" ]] || ! quietly sha256sum --check --quiet --strict SHA256SUMS; then
    die 65 "The bundle in $BUNDLE_DIR is damaged. Upload it again; nothing was changed."
  fi
}

# Who put a public key on this machine wants no bundle that its owner did not sign. $1 is a folder for the time of it.
check_signature() {
  local signature=$1/signature key=${RELEASE_KEY:-/etc/mcp-hub/release.pem}
  if [[ ! -e $key ]]; then
    [[ ! -f SHA256SUMS.sig ]] || warn "The bundle is signed, and there is no public key at $key to check it with."
    return 0
  fi
  need openssl 'apt-get install --yes openssl'
  [[ -f SHA256SUMS.sig ]] || die 65 "The bundle is not signed, and $key asks for it: publish it with --sign-key. Nothing was changed."
  if ! quietly openssl base64 -d -A -in SHA256SUMS.sig -out "$signature" ||
    ! quietly openssl pkeyutl -verify -pubin -inkey "$key" -rawin -in SHA256SUMS -sigfile "$signature"; then
    die 65 "The bundle is not signed with the key of $key. Nothing was changed."
  fi
}

check_machine() {
  manager_preflight
  need "$CURL" 'apt-get install --yes curl'
  need openssl 'apt-get install --yes openssl'
  need flock 'apt-get install --yes util-linux'
  if [[ -n ${BACKUP_RECIPIENTS:-} ]]; then need "$AGE" 'Backups are encrypted with it: apt-get install --yes age'; fi
  [[ $OWN_CERTIFICATE == no || (-r $CERTIFICATE && -r $CERTIFICATE_KEY) ]] ||
    die 69 "The certificate is missing: put it and its key where the bundle says, $CERTIFICATE and $CERTIFICATE_KEY."
  # For a person to fill in.
  if [[ -n $(lacking_service) && -z $dry_run && ! -e $ENV_FILE ]]; then make_folders && complete_environment ''; fi
  check_services
  check_files
  check_room
  local memory
  memory=$(awk '/^MemTotal/ { print int($2 / 1024) }' /proc/meminfo)
  ((memory >= 1800)) || warn "This machine has $memory MB of memory; the hub and a few servers want 2 GB."
  if [[ -z $(proven_release) ]]; then check_ports; fi
}

check_room() {
  local place=$INSTALL_DIR free
  while [[ ! -d $place ]]; do place=$(dirname -- "$place"); done
  free=$(($(df --output=avail -k -- "$place" | tail -n 1) / 1024))
  ((free >= 200)) || die 69 "The disk of $place has $free MB left, and 200 MB are needed. Make room there."
  ((free >= 2048)) || warn "The disk of $place has $free MB left."
}

check_ports() {
  local port
  for port in "${HUB_PORTS[@]}"; do
    if (: <>"/dev/tcp/127.0.0.1/$port") 2>/dev/null; then
      die 69 "Port $port is in use: ss -ltnp shows by whom. End that, or publish with another --base-port."
    fi
  done
}

# choose_config check|keep|replace FOLDER: config_folder has what will be put in force, or is empty; config_message says which.
choose_config() {
  local live=$2/live new=$2/new staged=$2/staged changed=() choice=$1 name
  config_folder=''
  # The release in use brings nothing that could be meant.
  if [[ $choice == check && $BUNDLE_DIR -ef $CURRENT ]] && ! is_unproven; then choice=keep; fi
  mkdir -- "$live" "$new" "$staged"
  get_all_config "$live"
  if [[ -n $(proven_release) ]] && uses_database; then
    config_message='It is in the database and stays as it is: change it in the web UI, or over the API.'
    return 0
  fi
  for name in "${PUBLISHED[@]}"; do
    [[ -f config/$name ]] || continue
    if [[ ! -f $live/$name ]]; then
      cp -- "config/$name" "$new/$name"
    elif ! same_json "$live/$name" "config/$name"; then
      [[ $choice != check ]] || unchanged "$live/$name" || changed+=("$name")
      [[ $choice == keep ]] || cp -- "config/$name" "$new/$name"
    fi
  done
  ((${#changed[@]} == 0)) ||
    die 73 "Since the last publish somebody else changed ${changed[*]} here. Nothing was done. Look at the difference, then give --config keep or --config replace."
  find "$live" -name '*.json' -exec cp -t "$staged" -- {} +
  find "$new" -name '*.json' -exec cp -t "$staged" -- {} +
  check_config "$staged"
  if [[ -z $(ls -A "$new") ]]; then
    config_message='The configuration here stays as it is.'
  else
    config_folder=$new
    config_message="Comes into force: $(cd "$new" && echo *)"
  fi
}

would() {
  case $1 in
    backup) echo 'everything that is there is kept first.' ;;
    secrets) echo "names that are new are added to $ENV_FILE${rotate:+, and $rotate get new values}." ;;
    switch) echo "current leads to $RELEASE. ${config_message}" ;;
    start) echo "${#HUB_PORTS[@]} on ${PORTS// /, }, run by $MODE." ;;
    *) echo 'otherwise the release before is put back.' ;;
  esac
}

make_folders() {
  if ! id -u "$HUB_USER" >/dev/null 2>&1; then
    quietly useradd --system --user-group --home-dir "$INSTALL_DIR/data" --shell /usr/sbin/nologin "$HUB_USER"
  fi
  local group
  group=$(id -gn "$HUB_USER")
  install -d -m 0755 "$INSTALL_DIR" "$INSTALL_DIR/releases" "$INSTALL_DIR/acme"
  install -d -m 0700 "$INSTALL_DIR/tls" "$INSTALL_DIR/incoming"
  # Only these are the hub's: it cannot change its own program, the certificate, or what nginx reads.
  install -d -o "$HUB_USER" -g "$group" -m 0750 "$INSTALL_DIR/config" "$INSTALL_DIR/data" "$INSTALL_DIR/logs"
  install -d -o "$HUB_USER" -g "$group" -m 0700 "$INSTALL_DIR/backups"
}

# The bundle's folder as releases/RELEASE, readable to everybody and writable to its owner alone.
take_release() {
  local place=$INSTALL_DIR/releases/$RELEASE
  if [[ $BUNDLE_DIR != "$place" ]]; then
    forget_healthy
    rm -rf -- "$place.new"
    cp -R -- "$BUNDLE_DIR" "$place.new"
    if [[ -e $place ]]; then rm -rf -- "$place.old" && mv -T -- "$place" "$place.old"; fi
    mv -T -- "$place.new" "$place"
    rm -rf -- "$place.old"
    BUNDLE_DIR=$place OPS_DIR=$place/ops
    cd "$place" || return 1
  fi
  if [[ $(id -u) == 0 ]]; then chown -R root:root -- "$place"; fi
  chmod -R u=rwX,go=rX -- "$place"
}

# share_data RELEASE: what a hub has is in a folder named after its port. On another port it has the same, by a link: so has that
# release, when it comes back.
share_data() {
  local old at from to
  read -ra old <<<"$(target_of "$1" PORTS)"
  for at in "${!HUB_PORTS[@]}"; do
    from=$INSTALL_DIR/data/${old[at]:-none} to=$INSTALL_DIR/data/${HUB_PORTS[at]}
    if [[ ! -d $from || $from -ef $to ]]; then continue; fi
    if [[ ! -e $to && " $PORTS " != *" ${old[at]} "* ]]; then
      as_hub ln -sfn -- "${old[at]}" "$to"
      say "The hub on port ${HUB_PORTS[at]} has what the one on port ${old[at]} had: $to leads to $from."
    else
      warn "The hub on port ${HUB_PORTS[at]} does not have what the one on port ${old[at]} had: history, audit log and approvals of tools stay in $from, and are in no backup any more. Publish with the --base-port of before to have them again."
    fi
  done
}

# complete_environment NAMES: keeps every value, adds what is new, makes new values for NAMES.
complete_environment() {
  local options=(--example .env.example --out "$ENV_FILE")
  [[ -z $1 ]] || options+=(--rotate "$1")
  environment_message=$(hub_cli env "${options[@]}")
  chown "$(id -u):$(id -gn "$HUB_USER")" "$ENV_FILE"
  chmod 0640 "$ENV_FILE"
}

# For the first start; README.md has how to get one that browsers trust.
make_certificate() {
  if [[ -e $CERTIFICATE && -e $CERTIFICATE_KEY ]]; then return 0; fi
  (
    umask 077
    quietly openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 30 -subj "/CN=$DOMAIN" \
      -addext "subjectAltName=DNS:$DOMAIN" -keyout "$CERTIFICATE_KEY" -out "$CERTIFICATE"
  )
  chmod 0644 "$CERTIFICATE"
  say "Made a certificate that signs itself, for 30 days: browsers warn of it until you get a real one (README.md)."
}

# The newest five stay, and in any case the one in use and the one before it.
remove_old_releases() {
  local name
  while read -r _ name; do
    [[ $name == "$(name_of "$CURRENT")" || $name == "$(name_of "$INSTALL_DIR/previous")" ]] || rm -rf -- "$INSTALL_DIR/releases/$name"
  done < <(find "$INSTALL_DIR/releases" -mindepth 1 -maxdepth 1 -type d -printf '%T@ %f\n' | sort -rn | tail -n +6)
}
