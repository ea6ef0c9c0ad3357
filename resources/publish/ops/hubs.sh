#!/usr/bin/env bash
# sudo bash ops/hubs.sh start|stop|status|leave
#
# The hubs of the release in use: start also reloads them where they run, and waits until they are healthy; status prints port,
# process and state of each; leave is for when another program runs them from now on: nothing of this one starts at boot.

. "$(dirname -- "${BASH_SOURCE[0]}")/lib.sh"
load_manager

need_root
case ${1:-} in
  start) check_services && manager_reload && reload_nginx && wait_healthy ;;
  stop) manager_stop ;;
  status) manager_status ;;
  leave) if declare -F manager_leave >/dev/null; then manager_leave; fi ;;
  *) usage 'There are start, stop, status and leave.' ;;
esac
