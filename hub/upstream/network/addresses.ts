import { lookup, type LookupAddress } from 'node:dns'
import { lookup as lookupAll } from 'node:dns/promises'
import { isIP, type LookupFunction } from 'node:net'
import ipaddr from 'ipaddr.js'

/** What an address is, as far as it matters to who may be led there. */
export type AddressKind = 'public' | 'private' | 'loopback' | 'link-local' | 'other'

const KINDS: Partial<Record<string, AddressKind>> = {
  unicast: 'public',
  private: 'private',
  uniqueLocal: 'private',
  carrierGradeNat: 'private',
  loopback: 'loopback',
  linkLocal: 'link-local',
}

export function kindOf(address: string): AddressKind {
  const parsed = ipaddr.process(address)
  const range = parsed.range()
  // NAT64: the last 32 bits are the IPv4 address that is meant.
  if (range === 'rfc6052') return kindOf(parsed.toByteArray().slice(-4).join('.'))
  return KINDS[range] ?? 'other'
}

/** The host of a URL as an address, where it is one: without the brackets of IPv6. */
export function literalAddress(host: string): string | null {
  const bare = host.replace(/^\[|\]$/g, '')
  return isIP(bare) === 0 ? null : bare
}

export function isLoopbackHost(host: string): boolean {
  const literal = literalAddress(host)
  return literal === null ? host === 'localhost' || host.endsWith('.localhost') : kindOf(literal) === 'loopback'
}

/** The kinds of address that a server on `host` may lead the hub to: its own surroundings, and the internet. */
export async function reachableFrom(host: string): Promise<ReadonlySet<AddressKind>> {
  const literal = literalAddress(host)
  const addresses =
    literal === null
      ? // A name that only a proxy knows leads to the internet at most.
        (await lookupAll(host, { all: true }).catch((): LookupAddress[] => [])).map(({ address }) => address)
      : [literal]
  const kinds = new Set<AddressKind>(['public'])
  for (const address of addresses) {
    const kind = kindOf(address)
    if (kind !== 'other') kinds.add(kind)
    // A program of this computer sees its network anyway.
    if (kind === 'loopback') kinds.add('private')
  }
  return kinds
}

/** Name resolution that answers only allowed addresses, so that what was checked is what is connected to. */
export function guardedLookup(allowed: ReadonlySet<AddressKind>): LookupFunction {
  return (hostname, options, callback) => {
    lookup(hostname, { ...options, all: true }, (error, found) => {
      if (error !== null) {
        callback(error, '', 0)
        return
      }
      const addresses = found.filter(({ address }) => allowed.has(kindOf(address)))
      const [first] = addresses
      if (first === undefined)
        callback(Object.assign(new Error(`${hostname} is at ${found[0]?.address ?? '?'}`), { code: 'EBLOCKED' }), '', 0)
      else if (options.all === true) callback(null, addresses)
      else callback(null, first.address, first.family)
    })
  }
}
