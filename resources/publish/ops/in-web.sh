#!/usr/bin/env bash
# What manager-docker.sh asks from inside the container of nginx:
#   ready SECONDS ADDRESS…        until the hub at each address is ready
#   pools SECONDS POOL…           until the hub to which each of these pools of nginx leads is
#   handed-over SECONDS ADDRESS…  until all of them lead to these and no others
# Ends with 0, or with 1 when the seconds are over.
set -u

return_character=$(printf '\r')

# ask ADDRESS PORT PATH [KEY]: whether the answer is 200; and whose it is, in hub.
ask() {
  local line status=''
  hub=''
  { exec 3<>"/dev/tcp/$1/$2"; } 2>/dev/null || return 1
  printf 'GET %s HTTP/1.0\r\nHost: 127.0.0.1\r\nAuthorization: %s\r\n\r\n' "$3" "${4:-}" >&3
  while IFS= read -r -t 2 line <&3 && line=${line%"$return_character"} && [[ -n $line ]]; do
    case $line in
      HTTP/*) status=${line#* } ;;
      X-Hub:*) hub=${line#*: } ;;
    esac
  done
  exec 3>&-
  [[ $status == 200* ]]
}

try() {
  local one key
  case $command in
    ready) for one; do ask "$one" 3000 /health/ready || return 1; done ;;
    pools) for one; do ask 127.0.0.1 8081 "/$one" || return 1; done ;;
    handed-over)
      for one in $pools; do
        # Of several hubs nginx chooses by what it is given.
        for key in 1 2 3 4 5 6 7 8 9 10 11 12; do
          ask 127.0.0.1 8081 "/$one" "$key" && [[ " $* " == *" ${hub%:*} "* ]] || return 1
        done
      done
      ;;
  esac
}

command=$1 deadline=$((SECONDS + $2))
shift 2
pools=$(sed -n 's/^ *upstream \(mcp_hub[_0-9]*\) .*/\1/p' /etc/nginx/nginx.conf)
until try "$@"; do
  ((SECONDS < deadline)) || exit 1
  sleep 0.05
done
