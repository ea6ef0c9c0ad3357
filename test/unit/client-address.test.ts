import type { IncomingMessage } from 'node:http'
import { describe, expect, it } from 'vitest'
import { clientAddress, isSecure, placeOf, trustOf } from '../../hub/auth/client-address.ts'

type Setting = Parameters<typeof trustOf>[0]

function request(remoteAddress: string, headers: Record<string, string> = {}): IncomingMessage {
  return { socket: { remoteAddress }, headers } as unknown as IncomingMessage
}

describe('whose address counts', () => {
  it.each<[string, Setting, string, string, string]>([
    ['without a proxy the header is nobody’s', undefined, '192.0.2.1', '198.51.100.7', '192.0.2.1'],
    ['one proxy: the last address', 1, '127.0.0.1', '6.6.6.6, 198.51.100.7', '198.51.100.7'],
    ['two proxies: the one before', 2, '127.0.0.1', '6.6.6.6, 198.51.100.7, 10.0.0.2', '198.51.100.7'],
    ['a listed proxy', ['loopback'], '127.0.0.1', '6.6.6.6, 198.51.100.7', '198.51.100.7'],
    ['a listed range', ['10.1.0.0/16'], '10.1.2.3', '198.51.100.7', '198.51.100.7'],
    ['an address beside the range', ['10.1.0.0/16'], '10.2.2.3', '198.51.100.7', '10.2.2.3'],
    ['one exact address', ['192.0.2.10'], '192.0.2.10', '198.51.100.7', '198.51.100.7'],
    ['its neighbour', ['192.0.2.10'], '192.0.2.11', '198.51.100.7', '192.0.2.11'],
    [
      'through several listed proxies',
      ['loopback', 'uniquelocal'],
      '::1',
      '6.6.6.6, 198.51.100.7, 10.0.0.2',
      '198.51.100.7',
    ],
    ['IPv4 in IPv6', ['loopback'], '::ffff:127.0.0.1', '198.51.100.7', '198.51.100.7'],
    ['IPv6', ['2001:db8:1::/48'], '2001:db8:1::9', '2001:db8:2::7', '2001:db8:2::7'],
    ['no address in the header', ['loopback'], '127.0.0.1', 'unknown, <script>', '127.0.0.1'],
    ['no header', ['loopback'], '127.0.0.1', '', '127.0.0.1'],
  ])('%s', (_what, setting, peer, forwarded, expected) => {
    const headers = forwarded === '' ? undefined : { 'x-forwarded-for': forwarded }
    expect(clientAddress(request(peer, headers), trustOf(setting))).toBe(expected)
  })

  it('whether the client speaks TLS is believed of a proxy of ours only', () => {
    const headers = { 'x-forwarded-proto': 'https' }
    expect(isSecure(request('127.0.0.1', headers), trustOf(['loopback']))).toBe(true)
    expect(isSecure(request('192.0.2.1', headers), trustOf(['loopback']))).toBe(false)
    expect(isSecure(request('127.0.0.1', headers), trustOf(undefined))).toBe(false)
  })

  it('an IPv6 network of 64 bits is one place, and so is an IPv4 address in either form', () => {
    expect(placeOf('2001:db8:0:1::1')).toBe(placeOf('2001:db8:0:1:ffff::2'))
    expect(placeOf('2001:db8:0:1::1')).not.toBe(placeOf('2001:db8:0:2::1'))
    expect(placeOf('::ffff:192.0.2.1')).toBe(placeOf('192.0.2.1'))
  })
})
