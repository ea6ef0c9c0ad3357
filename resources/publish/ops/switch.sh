# shellcheck shell=bash disable=SC2034,SC2153
# From one release to another and back, for deploy.sh and rollback.sh. At each moment, whenever this is killed, `current` leads
# to a whole release, and the configuration there is one that it can read.
#   INSTALL_DIR/.unproven  names the release that was switched to and has not been found healthy
#   INSTALL_DIR/.healthy   a line for each release: with which configuration it was healthy
#   INSTALL_DIR/.before    what was in force before the last switch: config/, .env, and the names in `current` and `previous`

UNPROVEN=$INSTALL_DIR/.unproven
HEALTHY=$INSTALL_DIR/.healthy
BEFORE=$INSTALL_DIR/.before
PUBLISHED=(servers.json system.json profiles.json)

is_unproven() { [[ -e $CURRENT && -s $UNPROVEN && $(<"$UNPROVEN") == "$(name_of "$CURRENT")" ]]; }

# The last release that was healthy; nothing where there is none.
proven_release() {
  if is_unproven; then
    if [[ -s $BEFORE/current ]]; then cat -- "$BEFORE/current"; fi
  elif [[ -e $CURRENT ]]; then
    name_of "$CURRENT"
  fi
}

# In config/ root reads and writes as the hub's user, which may put links there that root must not follow.
# shellcheck disable=SC2016
get_config() { as_hub sh -c 'cat "$1"' sh "$INSTALL_DIR/config/$1"; }
# shellcheck disable=SC2016
put_config() {
  as_hub sh -c 'umask 027 && cat >"$1.new" && sync "$1.new" && mv -fT "$1.new" "$1"' sh "$INSTALL_DIR/config/$1" <"$2"
}

get_all_config() {
  local name
  for name in "${PUBLISHED[@]}" users.json; do
    if [[ -f $INSTALL_DIR/config/$name ]]; then get_config "$name" >"$1/$name"; fi
  done
}

# Whether a file of the configuration is as the release in use, or the one before a switch that was killed, brought it.
unchanged() {
  local name release
  name=$(basename -- "$1")
  for release in "$CURRENT" "$INSTALL_DIR/releases/$(proven_release)"; do
    if [[ -f $release/config/$name ]] && same_json "$1" "$release/config/$name"; then return 0; fi
  done
  return 1
}

# The hub writes the same settings in another order.
same_json() {
  cmp --silent -- "$1" "$2" || "$NODE" -e '
    const [a, b] = process.argv.slice(1).map((file) => JSON.parse(require("node:fs").readFileSync(file, "utf8")))
    process.exit(require("node:util").isDeepStrictEqual(a, b) ? 0 : 1)
  ' "$1" "$2" 2>/dev/null
}

# What a release was healthy with is not looked at again: on the way back somebody waits. was_healthy says whether that is so.
check_config() {
  checked="$RELEASE $(cd "$1" && find . -name '*.json' -exec sha256sum {} + | sort | sha256sum)" was_healthy=''
  if grep -qxF -- "$checked" "$HEALTHY" 2>/dev/null; then was_healthy=yes; fi
  [[ -n $was_healthy ]] || quietly hub_cli config check --config "$1" ||
    die 78 "The configuration is refused by release $RELEASE. Mend what is named above; nothing was changed."
}

# Of another bundle of the same name nothing is known.
forget_healthy() { if [[ -f $HEALTHY ]]; then sed -i "/^$RELEASE /d" "$HEALTHY"; fi; }

# config_of_before RELEASE FOLDER: for the way back, the configuration from before the last switch, unless it was changed since.
config_of_before() {
  local live=$2/live staged=$2/staged name
  mkdir -- "$live" "$staged"
  get_all_config "$live"
  config_folder='' config_message='The configuration here stays as it is.'
  if [[ -f $BEFORE/current && $(<"$BEFORE/current") == "$1" ]] && ! uses_database; then
    cp -R -- "$BEFORE/config" "$2/config"
    config_folder=$2/config config_message='The configuration from before the deploy is in force again.'
    for name in "${PUBLISHED[@]}"; do
      if [[ -f $live/$name ]] && ! unchanged "$live/$name"; then
        config_folder='' config_message="The configuration stays as it is, because $name was changed since the deploy."
      fi
    done
  fi
  find "$live" -name '*.json' -exec cp -t "$staged" -- {} +
  if [[ -n $config_folder ]]; then cp -t "$staged" -- "$config_folder"/*.json; fi
  check_config "$staged"
}

# put_aside FOLDER: where the configuration here is one that no hub reads. What the published one replaces is kept as it is, for the
# hub's user alone, or encrypted where backups are; and sound_config has what a backup can read in its place.
# shellcheck disable=SC2016
put_aside() {
  local file name was
  was=$INSTALL_DIR/releases/$(proven_release)/config
  sound_config='' aside=''
  if hub_cli config check --config "$1/live" >/dev/null 2>&1; then return 0; fi
  aside=$INSTALL_DIR/backups/broken-config-$(date -u +%Y%m%dT%H%M%SZ).tar
  sound_config=$(as_hub mktemp -d)
  mkdir -- "$1/broken"
  for file in "$1"/staged/*.json; do
    name=${file##*/}
    if [[ -f $1/new/$name && -f $1/live/$name ]]; then cp -- "$1/live/$name" "$1/broken"; fi
    # The release in use makes the backup, and may not know what is in a later one.
    if [[ -f $1/new/$name && -f $was/$name ]]; then file=$was/$name; fi
    as_hub sh -c 'cat >"$1"' sh "$sound_config/$name" <"$file"
  done
  tar --create --file="$1/broken.tar" --directory="$1/broken" --owner=0 --group=0 --numeric-owner .
  if encrypts_backups; then
    encrypt_file "$1/broken.tar" "$1/broken.age" || die 69 'What is broken could not be encrypted and kept, so nothing was changed. The reason is above.'
    mv -f -- "$1/broken.age" "$1/broken.tar"
    aside+=.age
  fi
  as_hub sh -c 'umask 077 && cat >"$1"' sh "$aside" <"$1/broken.tar"
  warn "The configuration here is broken. What it was is kept in $aside"
}

# keep_before FOLDER: what can be put back, and of the configuration first what is in the folder: for one that nothing could
# read. After a switch that was killed it is there already, and is what counts.
keep_before() {
  if is_unproven && [[ -d $BEFORE ]]; then return 0; fi
  rm -rf -- "$BEFORE.new"
  install -d -m 0700 "$BEFORE.new" "$BEFORE.new/config"
  local name
  for name in "${PUBLISHED[@]}"; do
    if [[ -f $1/$name ]]; then
      cp -- "$1/$name" "$BEFORE.new/config/$name"
    elif [[ -f $INSTALL_DIR/config/$name ]]; then
      get_config "$name" >"$BEFORE.new/config/$name"
    fi
  done
  if [[ -f $ENV_FILE ]]; then cp -p -- "$ENV_FILE" "$BEFORE.new/.env"; fi
  proven_release >"$BEFORE.new/current"
  if [[ -e $INSTALL_DIR/previous ]]; then name_of "$INSTALL_DIR/previous" >"$BEFORE.new/previous"; fi
  rm -rf -- "$BEFORE"
  mv -T -- "$BEFORE.new" "$BEFORE"
}

# target_of RELEASE NAME: what its target.env says.
target_of() { sed -n "s/^$2='\(.*\)'$/\1/p" "$INSTALL_DIR/releases/$1/ops/target.env" 2>/dev/null; }

# Which program runs the hubs of that release, and whether it is another one than here.
mode_of() { target_of "$1" MODE; }
other_manager() {
  local mode
  mode=$(mode_of "$1") || true
  [[ -n $mode && $mode != "$MODE" ]]
}

# By its own scripts: another program may run them, and another number of them.
hubs_of() { MCP_HUB_STEPS='' bash "$INSTALL_DIR/releases/$1/ops/hubs.sh" "$2" >&2 9>&-; }

# switch_to RELEASE [FOLDER]: and, where a folder is given, to the configuration in it. The release comes first: it can read the
# configuration of the one before, and not the other way round.
switch_to() {
  local from name
  from=$(proven_release)
  # A switch that was killed may have started some.
  if is_unproven && other_manager "$(name_of "$CURRENT")"; then
    hubs_of "$(name_of "$CURRENT")" stop || warn "$(mode_of "$(name_of "$CURRENT")") did not end the hubs of $(name_of "$CURRENT"), which may be in the way."
  fi
  if [[ -n $from ]] && other_manager "$from"; then
    say "$(mode_of "$from") runs the hubs of the release before: it is told to end them, and $MODE takes them over."
    took_over=$from
    hubs_of "$from" stop || die 69 'It did not end them, and nothing was changed. The reason is above.'
  fi
  printf '%s\n' "$1" >"$UNPROVEN"
  if [[ -n $from && $from != "$1" ]]; then point "$INSTALL_DIR/previous" "releases/$from"; fi
  touch -- "$INSTALL_DIR/releases/$1"
  point "$CURRENT" "releases/$1"
  if [[ -n ${2:-} ]]; then
    for name in "${PUBLISHED[@]}"; do
      if [[ -f $2/$name ]]; then put_config "$name" "$2/$name"; fi
    done
  fi
}

# Where it did not come to a switch: those that were told to end before it run again.
give_back() { [[ -z ${took_over:-} ]] || hubs_of "$took_over" start; }

# The release is healthy: from here on nothing is put back by itself.
settle() {
  local from
  rm -f -- "$UNPROVEN" "$BEFORE/.env"
  from=$(<"$BEFORE/current")
  if [[ -n $from ]] && other_manager "$from"; then hubs_of "$from" leave || warn "What ran the hubs before may start them at the next boot."; fi
  if [[ -n ${checked:-} ]]; then forget_healthy && printf '%s\n' "$checked" >>"$HEALTHY"; fi
}

# Puts back what was in force before switch_to. Returns 1 when there was nothing, or when that is not healthy either.
switch_back() {
  local to name
  for name in "${PUBLISHED[@]}"; do
    if [[ -f $BEFORE/config/$name ]]; then put_config "$name" "$BEFORE/config/$name"; else rm -f -- "$INSTALL_DIR/config/$name"; fi
  done
  if [[ -f $BEFORE/.env ]]; then mv -f -- "$BEFORE/.env" "$ENV_FILE"; fi
  to=$(<"$BEFORE/current")
  if [[ -z $to ]]; then
    manager_stop || true
    # A link that leads nowhere would end the nginx of this machine at its next start, with every other site of it.
    if uses_nginx; then leave_site || true; fi
    rm -f -- "$CURRENT" "$UNPROVEN"
    return 1
  fi
  point "$CURRENT" "releases/$to"
  if [[ -s $BEFORE/previous ]]; then
    point "$INSTALL_DIR/previous" "releases/$(<"$BEFORE/previous")"
  else
    rm -f -- "$INSTALL_DIR/previous"
  fi
  rm -f -- "$UNPROVEN"
  # What restarts over and over is ended first: its manager may start it once more, beside the one that is meant to run.
  if other_manager "$to" || grep -qv ' running$' <<<"$(manager_status)"; then manager_stop || true; fi
  hubs_of "$to" start
}
