import type { IncomingMessage } from 'node:http'
import ipaddr from 'ipaddr.js'
import { memoize } from '../memo.ts'

/** Whether an address that a request came through is a proxy of ours; `hop` counts from us. */
export type Trust = (address: string, hop: number) => boolean

const NAMED: Record<string, readonly string[]> = {
  loopback: ['127.0.0.0/8', '::1/128'],
  linklocal: ['169.254.0.0/16', 'fe80::/10'],
  uniquelocal: ['10.0.0.0/8', '172.16.0.0/12', '192.168.0.0/16', 'fc00::/7'],
}

/** `server.trustProxy`: how many proxies, or their addresses. There is no "all": then anybody could claim any address. */
export function trustOf(setting: false | number | readonly string[] | undefined): Trust {
  if (setting === undefined || setting === false) return () => false
  if (typeof setting === 'number') return (_address, hop) => hop < setting
  const ranges = setting
    .flatMap((entry) => NAMED[entry] ?? entry)
    .map((entry) => ipaddr.parseCIDR(entry.includes('/') ? entry : `${entry}/${entry.includes(':') ? 128 : 32}`))
  return (address) => {
    if (!ipaddr.isValid(address)) return false
    const parsed = ipaddr.process(address)
    return ranges.some(([range, bits]) => parsed.kind() === range.kind() && parsed.match(range, bits))
  }
}

/** The address that a request came from: the last one that no proxy of ours has. */
export function clientAddress(request: IncomingMessage, trust: Trust): string {
  let address = request.socket.remoteAddress ?? ''
  if (!trust(address, 0)) return plain(address)
  const forwarded = String(request.headers['x-forwarded-for'] ?? '')
    .split(',')
    .map((part) => part.trim())
    .reverse()
  for (const [at, next] of forwarded.entries()) {
    // What is no address was written by whoever is beyond the last proxy.
    if (!ipaddr.isValid(next)) break
    address = next
    if (!trust(next, at + 1)) break
  }
  return plain(address)
}

/** Whether the client speaks TLS, with us or with a proxy of ours. */
export function isSecure(request: IncomingMessage, trust: Trust): boolean {
  if ('encrypted' in request.socket && request.socket.encrypted === true) return true
  if (!trust(request.socket.remoteAddress ?? '', 0)) return false
  return (
    String(request.headers['x-forwarded-proto'] ?? '')
      .split(',')[0]
      ?.trim() === 'https'
  )
}

/** Asked for with every request. */
const plain = memoize((address) => (ipaddr.isValid(address) ? ipaddr.process(address).toString() : address))

/** What counts as one place: an IPv6 network of 64 bits is one customer's. */
export function placeOf(address: string): string {
  if (!ipaddr.isValid(address)) return address
  const parsed = ipaddr.process(address)
  if (parsed.kind() === 'ipv4') return parsed.toString()
  return `${parsed
    .toByteArray()
    .slice(0, 8)
    .map((byte) => byte.toString(16).padStart(2, '0'))
    .join('')}/64`
}
