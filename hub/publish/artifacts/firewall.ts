import type { Artifact } from '../context.ts'

export const firewall: Artifact = {
  path: 'ops/firewall.nft',
  why: 'Lets in what this machine is for and nothing else; answers and loopback first, or nginx could not reach the hubs.',
  render: ({ target }) => {
    const tcp = `{ ${[...new Set([target.httpPort, target.httpsPort])].join(', ')} }`
    return `#!/usr/sbin/nft -f
# Try it with a way back after two minutes: systemd-run --on-active=120 nft delete table inet mcp_hub && nft -f firewall.nft
# For good: a line include "…/firewall.nft" in /etc/nftables.conf, and systemctl enable nftables.
# A table of its own: rules of others stay. What one of them drops is dropped all the same. Ports that Docker publishes do not pass
# through here; they are forwarded, and Docker has its own rules for that.

# Where SSH listens on another port, change it in a copy first, or you lock yourself out; this file is one of the bundle's.
define ssh_port = 22

table inet mcp_hub
delete table inet mcp_hub

table inet mcp_hub {
  set ssh4 {
    type ipv4_addr
    size 65535
    flags dynamic, timeout
    timeout 1m
  }

  set ssh6 {
    type ipv6_addr
    size 65535
    flags dynamic, timeout
    timeout 1m
  }

  chain input {
    type filter hook input priority filter; policy drop;

    iif lo accept
    ct state invalid drop
    ct state established,related accept

    # Without these IPv6 does not work at all, and IPv4 finds no path for large packets.
    meta l4proto ipv6-icmp accept
    icmp type { echo-request, destination-unreachable, time-exceeded, parameter-problem } accept
    udp sport 67 udp dport 68 accept
    ip6 saddr fe80::/10 udp dport 546 accept

    # Whoever knocks more than ten times a minute waits, the others do not.
    tcp dport $ssh_port ct state new update @ssh4 { ip saddr limit rate over 10/minute burst 10 packets } drop
    tcp dport $ssh_port ct state new update @ssh6 { ip6 saddr limit rate over 10/minute burst 10 packets } drop
    tcp dport $ssh_port accept

    tcp dport ${tcp} accept
  }
}
`
  },
}
