# shellcheck shell=bash
# Backups for the public keys of the target (age), where it names any: nobody here can read them, and only whoever has one of the
# private keys restores them. Sourced by those scripts that write or read archives.

encrypts_backups() { [[ -n ${BACKUP_RECIPIENTS:-} ]]; }

need_age() { need "$AGE" 'Backups are encrypted with it: apt-get install --yes age'; }

is_encrypted() { [[ $(head -c 21 -- "$1" | tr -d '\0') == age-encryption.org/v1 ]]; }

# encrypt_file FROM TO: for all keys. What age says that it wrote is what is on the disk afterwards, and that is as an encrypted file
# must be, as far as anybody can see without a private key.
encrypt_file() {
  local to=() key written
  for key in $BACKUP_RECIPIENTS; do to+=(--recipient "$key"); done
  written=$("$AGE" --encrypt "${to[@]}" "$1" 9>&- | tee -- "$2" | sha256sum) || return 1
  sync "$2"
  [[ $(sha256sum <"$2") == "$written" ]] && is_whole "$1" "$2" "$((${#to[@]} / 2))" && return 0
  say 'What age wrote is not whole.'
  return 1
}

# is_whole FROM TO KEYS: a line of the header for each key, and behind the header 16 bytes, and 16 more for each 64 KiB.
is_whole() {
  local header keys size
  is_encrypted "$2" || return 1
  header=$(grep --text --byte-offset --max-count=1 '^--- ' "$2" | cut -d : -f 1) || return 1
  keys=$(head -c "$header" -- "$2" | grep --text --count '^-> X25519 ') || return 1
  size=$(stat --format=%s -- "$1")
  [[ $keys == "$3" && $(stat --format=%s -- "$2") == $((header + 48 + 16 + size + 16 * ((size + 65535) / 65536))) ]]
}

# as_it_was_made FILE: where its checksum lies beside it. Found without a private key.
as_it_was_made() { [[ ! -f $1.sha256 || $(sha256sum <"$1" | cut -c -64) == "$(cut -c -64 "$1.sha256")" ]]; }

# take_archive ARCHIVE FILE IDENTITY: a copy that the owner of the archive cannot change any more, decrypted where it is encrypted.
take_archive() {
  cp -- "$1" "$2"
  is_encrypted "$2" || return 0
  local said
  said=$("$AGE" --decrypt --identity "$3" --output "$2.plain" "$2" 2>&1 9>&-) && mv -f -- "$2.plain" "$2" && return 0
  say "$(grep -v 'filippo.io/age/report' <<<"$said")"
  return 1
}
