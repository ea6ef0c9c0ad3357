#!/usr/bin/env bash
# sudo bash ops/hubs.sh start|stop|status
#
# The hubs of the release in use: start also reloads them where they run, and waits until they are healthy; status prints port,
# process and state of each.

. "$(dirname -- "${BASH_SOURCE[0]}")/lib.sh"
load_manager

need_root
case ${1:-} in
  start) manager_reload && reload_nginx && wait_healthy ;;
  stop) manager_stop ;;
  status) manager_status ;;
  *) usage 'There are start, stop and status.' ;;
esac
