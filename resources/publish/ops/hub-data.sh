#!/usr/bin/env bash
# ops/hub-data.sh PORT COMMAND…: a command of the hub's command line about what the hub on that port has, for example
#   sudo -u mcp-hub bash ops/hub-data.sh 3000 user list

. "$(dirname -- "${BASH_SOURCE[0]}")/lib.sh"

(($# >= 2)) || usage 'Give a port and a command.'
hub_data "$@"
