import { lookup, type LookupAddress } from 'node:dns'
import { lookup as lookupAll } from 'node:dns/promises'
import { isIP, type LookupFunction } from 'node:net'
import ipaddr from 'ipaddr.js'

/** What an address is, as far as it matters to who may be led there. */
export type AddressKind = 'public' | 'private' | 'loopback' | 'link-local' | 'metadata' | 'other'

/** Where a server may be that is trusted to be in this hub's surroundings; where clouds keep credentials is never among them. */
export const everywhere: ReadonlySet<AddressKind> = new Set(['public', 'private', 'loopback', 'link-local', 'other'])
export const internetOnly: ReadonlySet<AddressKind> = new Set(['public'])

/** Services that give a machine of a cloud its credentials; some have addresses that are private, or even public. */
const METADATA = new Set([
  '169.254.169.254',
  '169.254.170.2',
  '169.254.170.23',
  '100.100.100.200',
  '168.63.129.16',
  '192.0.0.192',
  'fd00:ec2::254',
  'fd00:ec2::23',
  'fd20:ce::254',
])

const KINDS: Partial<Record<string, AddressKind>> = {
  unicast: 'public',
  private: 'private',
  uniqueLocal: 'private',
  carrierGradeNat: 'private',
  loopback: 'loopback',
  // Connecting to it leads to this computer.
  unspecified: 'loopback',
  linkLocal: 'link-local',
}

export function kindOf(address: string): AddressKind {
  const parsed = ipaddr.process(address)
  if (METADATA.has(parsed.toString())) return 'metadata'
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
    if (kind !== 'other' && kind !== 'metadata') kinds.add(kind)
    // A program of this computer sees its network anyway.
    if (kind === 'loopback') kinds.add('private')
  }
  return kinds
}

/** Where `host` is that it may not be, as `name (address)`; null when it may be reached. Names that nobody knows may. */
export async function forbiddenAddress(host: string, allowed: ReadonlySet<AddressKind>): Promise<string | null> {
  const literal = literalAddress(host)
  if (literal !== null) return allowed.has(kindOf(literal)) ? null : literal
  const found = await lookupAll(host, { all: true }).catch((): LookupAddress[] => [])
  const wrong = found.find(({ address }) => !allowed.has(kindOf(address)))
  return wrong === undefined ? null : `${host} (${wrong.address})`
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
