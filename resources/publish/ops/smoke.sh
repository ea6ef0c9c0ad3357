#!/usr/bin/env bash
# sudo bash ops/smoke.sh
#
# Does what people and clients do, over https and through nginx, on this machine: health, the sign-in page, headers, MCP in both
# eras, an event; and that nobody gets in without a token. Changes nothing. Ends with 0, or 75 and what is wrong.

. "$(dirname -- "${BASH_SOURCE[0]}")/lib.sh"

STEP=smoke
work=$(mktemp -d)
trap 'rm -rf -- "$work"' EXIT
address=${LISTEN_ADDRESS:-127.0.0.1}
[[ $address != *:* ]] || address="[$address]"

# The name leads to this machine, whatever DNS says. Whether browsers trust the certificate is looked at on its own.
asking=(--silent --show-error --insecure --max-time 20 --resolve "$DOMAIN:$HTTPS_PORT:$address" --config "$work/token"
  --dump-header "$work/headers" --output "$work/body" --write-out '%{http_code}')
ask() { "$CURL" "${asking[@]}" "$@" 9>&-; }

# expect STATUS WHAT CURL-ARGUMENT…
expect() {
  local wanted=$1 what=$2 status
  shift 2
  rm -f -- "$work/body"
  status=$(ask "$@" 2>"$work/said") || true
  [[ $status == "$wanted" ]] || wrong "$what: the answer was ${status:-none}, not $wanted. $(head -c 300 -- "$work/said" "$work/body" 2>/dev/null | tr '\n' ' ')"
}
wrong() { die 75 "$1"; }
body_has() { grep -qF -- "$2" "$work/body" || wrong "$1: the answer is not what it should be: $(head -c 300 -- "$work/body")"; }
header_has() { grep -qiE -- "^$1: $2" "$work/headers" || wrong "The header $1 of the sign-in page is missing or wrong."; }

step smoke "Trying $ORIGIN"
# In a file, because every user of the machine sees the arguments of a program.
: >"$work/token"
expect 200 'Health' "$ORIGIN/health"
expect 401 'MCP without a token' --request POST --header 'Content-Type: application/json' --data '{}' "$ORIGIN/mcp"
expect 401 'The API without a token' "$ORIGIN/api/servers"
case $(ask "$ORIGIN/api/metrics") in 401 | 403 | 404) ;; *) wrong 'Metrics are public.' ;; esac

expect 200 'The sign-in page' "$ORIGIN/login"
body_has 'The sign-in page' '<script'
header_has strict-transport-security 'max-age='
header_has x-content-type-options nosniff
header_has x-frame-options DENY
header_has content-security-policy ".*frame-ancestors 'none'"
if grep -i '^content-security-policy:' "$work/headers" | grep -q unsafe-inline; then wrong 'The policy of the page allows inline scripts.'; fi
[[ $(grep -ci '^strict-transport-security:' "$work/headers") == 1 ]] || wrong 'A header is sent twice.'

token=$(env_value MCP_HUB_TOKEN)
if [[ -z $token ]]; then
  skip "MCP_HUB_TOKEN of $ENV_FILE is empty: MCP and events were not tried."
  exit 0
fi
(umask 077 && printf 'header = "Authorization: Bearer %s"\n' "$token" >"$work/token")
mcp=(--request POST --header 'Content-Type: application/json' --header 'Accept: application/json, text/event-stream')
client='{"name":"smoke","version":"1"}'
expect 200 'MCP 2025-11-25' "${mcp[@]}" "$ORIGIN/mcp" --data \
  '{"jsonrpc":"2.0","id":1,"method":"initialize","params":{"protocolVersion":"2025-11-25","capabilities":{},"clientInfo":'"$client"'}}'
body_has 'MCP 2025-11-25' '"serverInfo"'
session=$(sed -n 's/^mcp-session-id: *\([^[:space:]]*\).*/\1/Ip' "$work/headers")
[[ -z $session ]] || ask --request DELETE --header "Mcp-Session-Id: $session" --header 'MCP-Protocol-Version: 2025-11-25' "$ORIGIN/mcp" >/dev/null
expect 200 'MCP 2026-07-28' "${mcp[@]}" --header 'MCP-Protocol-Version: 2026-07-28' --header 'Mcp-Method: tools/list' "$ORIGIN/mcp" --data \
  '{"jsonrpc":"2.0","id":1,"method":"tools/list","params":{"_meta":{"io.modelcontextprotocol/protocolVersion":"2026-07-28","io.modelcontextprotocol/clientInfo":'"$client"',"io.modelcontextprotocol/clientCapabilities":{}}}}'
body_has 'MCP 2026-07-28' '"tools"'

# The stream never ends by itself: what counts is that an event comes while it is open. A place that the hub does not know gets
# the event `resync` at once. Not by `ask`: what is ended below must be curl itself, or the stream would stay open.
rm -f -- "$work/body"
"$CURL" "${asking[@]}" --no-buffer --header 'Last-Event-ID: smoke-0' "$ORIGIN/api/events" >/dev/null 2>&1 9>&- &
reader=$!
came=''
while [[ -z $came ]] && kill -0 "$reader" 2>/dev/null; do
  if grep -q '"resync"' "$work/body" 2>/dev/null; then came=yes; else sleep 0.1; fi
done
kill "$reader" 2>/dev/null || true
wait "$reader" 2>/dev/null || true
[[ -n $came ]] || wrong "No event came within 20 s: something on the way holds $ORIGIN/api/events back."

if ! openssl x509 -in "$CERTIFICATE" -noout -checkend 1209600 >/dev/null 2>&1; then
  warn "The certificate $CERTIFICATE ends within two weeks, or cannot be read here."
fi
ok 'Health, sign-in page, MCP in both eras, events and headers are right.'
