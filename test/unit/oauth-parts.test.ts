import { createHash } from 'node:crypto'
import { describe, expect, it } from 'vitest'
import { guardedLookup, isLoopbackHost, kindOf, reachableFrom } from '../../hub/upstream/network/addresses.ts'
import { clientMetadata, knownClient, ownMetadataUrl } from '../../hub/upstream/oauth/client.ts'
import { isFinal, oneLine, retryAfterMs } from '../../hub/upstream/oauth/failures.ts'
import { whoIs } from '../../hub/upstream/oauth/identity.ts'
import { sameIssuer, sameUrl } from '../../hub/upstream/oauth/place.ts'
import { emptyRecord, type PendingSignIn } from '../../hub/upstream/oauth/record.ts'
import { missingScopes, wantedScopes } from '../../hub/upstream/oauth/scopes.ts'
import { isAnswerTo } from '../../hub/upstream/oauth/sign-in.ts'

describe('where a sign-in may lead', () => {
  it.each([
    ['8.8.8.8', 'public'],
    ['2606:4700::1111', 'public'],
    ['10.1.2.3', 'private'],
    ['172.16.0.1', 'private'],
    ['192.168.1.1', 'private'],
    ['100.64.0.1', 'private'],
    ['fd00::1', 'private'],
    ['127.8.8.8', 'loopback'],
    ['::1', 'loopback'],
    ['::ffff:127.0.0.1', 'loopback'],
    ['::ffff:10.0.0.1', 'private'],
    ['169.254.169.254', 'metadata'],
    ['169.254.1.1', 'link-local'],
    ['100.100.100.200', 'metadata'],
    ['168.63.129.16', 'metadata'],
    ['fd00:ec2::254', 'metadata'],
    ['::ffff:169.254.169.254', 'metadata'],
    ['fe80::1', 'link-local'],
    ['64:ff9b::8.8.8.8', 'public'],
    ['64:ff9b::169.254.169.254', 'metadata'],
    ['0.0.0.0', 'loopback'],
    ['::', 'loopback'],
    ['224.0.0.1', 'other'],
    ['2002:7f00:1::', 'other'],
  ])('%s is %s', (address, kind) => {
    expect(kindOf(address)).toBe(kind)
  })

  it.each([
    ['localhost', true],
    ['app.localhost', true],
    ['[::1]', true],
    ['127.0.0.1', true],
    ['localhost.example.com', false],
    ['10.0.0.1', false],
  ])('%s is on this computer: %s', (host, loopback) => {
    expect(isLoopbackHost(host)).toBe(loopback)
  })

  it('a server reaches its own surroundings and the internet, never what is beside cloud machines', async () => {
    expect([...(await reachableFrom('93.184.216.34'))]).toEqual(['public'])
    expect([...(await reachableFrom('10.0.0.1'))].sort()).toEqual(['private', 'public'])
    expect([...(await reachableFrom('127.0.0.1'))].sort()).toEqual(['loopback', 'private', 'public'])
    expect([...(await reachableFrom('name.that.does.not.exist.invalid'))]).toEqual(['public'])
  })
})

describe('a name', () => {
  const lookUp = (allowed: Parameters<typeof guardedLookup>[0], all: boolean): Promise<unknown> =>
    new Promise((resolve, reject) => {
      guardedLookup(allowed)('localhost', { all }, (error, address) =>
        error === null ? resolve(address) : reject(error),
      )
    })

  it('is not connected to when it leads where the server is not', async () => {
    await expect(lookUp(new Set(['public']), true)).rejects.toMatchObject({ code: 'EBLOCKED' })
    await expect(lookUp(new Set(['public']), false)).rejects.toMatchObject({ code: 'EBLOCKED' })
  })
  it('is connected to at the very address that was checked', async () => {
    expect(JSON.stringify(await lookUp(new Set(['loopback']), true))).toMatch(/127\.0\.0\.1|::1/)
    expect(await lookUp(new Set(['loopback']), false)).toMatch(/127\.0\.0\.1|::1/)
  })
})

describe('what a token endpoint answers', () => {
  const error = (code: string): Error => Object.assign(new Error('refused'), { code })
  it.each([
    ['invalid_grant', 400, true],
    ['invalid_client', 401, true],
    ['invalid_grant', 429, false],
    ['invalid_grant', 500, false],
    ['server_error', 400, false],
    ['temporarily_unavailable', 400, false],
    ['ECONNREFUSED', 0, false],
  ])('%s with status %i ends the grant: %s', (code, status, final) => {
    expect(isFinal(error(code), { status, retryAfterMs: null })).toBe(final)
  })

  it.each([
    ['3', 3_000],
    ['Thu, 01 Jan 1970 00:00:10 GMT', 5_000],
    ['Thu, 01 Jan 1970 00:00:01 GMT', 0],
    ['soon', null],
    [null, null],
  ])('Retry-After: %s is %s ms from now', (value, ms) => {
    expect(retryAfterMs(value, 5_000)).toBe(ms)
  })
})

describe('the client at an authorization server', () => {
  const redirect = 'http://127.0.0.1:3737/oauth/callback'
  const place = { url: 'https://mcp.example.com/mcp', fetch: () => Promise.reject(new Error('unused')), oauth: {} }
  const registered = (information: object): ReturnType<typeof emptyRecord> => ({
    ...emptyRecord('s', place.url),
    clients: {
      'https://as.example.com': {
        redirectUrl: redirect,
        information: { client_id: 'id', redirect_uris: [redirect], ...information },
      },
    },
  })
  const known = (record: ReturnType<typeof emptyRecord>, issuer = 'https://as.example.com', scope?: string): unknown =>
    knownClient(record, issuer, place, redirect, undefined, 1_000_000, scope)?.client_id

  it('is the one that was registered there', () => {
    expect(known(registered({}))).toBe('id')
  })
  it('is never that of another one', () => {
    expect(known(registered({}), 'https://other.example.com')).toBeUndefined()
  })
  it('is registered anew for another address of the hub, an expired secret, a scope it may not ask for', () => {
    const elsewhere = registered({})
    expect(
      knownClient(elsewhere, 'https://as.example.com', place, `${redirect}/x`, undefined, 1_000_000),
    ).toBeUndefined()
    expect(known(registered({ client_secret_expires_at: 999 }))).toBeUndefined()
    expect(known(registered({ client_secret_expires_at: 0 }))).toBe('id')
    expect(known(registered({ scope: 'read' }), undefined, 'read write')).toBeUndefined()
    expect(known(registered({ scope: 'read write' }), undefined, 'write')).toBe('id')
  })
  it('is a document only while the hub still has it', () => {
    const url = 'https://hub.example.com/oauth/client.json'
    const record = registered({ client_id: url, redirect_uris: undefined })
    const of = (metadataUrl: string | undefined): unknown =>
      knownClient(record, 'https://as.example.com', place, redirect, metadataUrl, 0)?.client_id
    expect([of(url), of('https://new.example.com/client.json'), of(undefined)]).toEqual([url, undefined, undefined])
  })
  it('is native on loopback, and a document only where it can be read', () => {
    expect(clientMetadata(redirect, 'none').application_type).toBe('native')
    expect(ownMetadataUrl(redirect)).toBeUndefined()
    expect(ownMetadataUrl('https://localhost/oauth/callback')).toBeUndefined()
    expect(ownMetadataUrl('https://hub.example.com/oauth/callback')).toBe('https://hub.example.com/oauth/client.json')
  })
})

describe('small parts', () => {
  it('unites scopes in order and finds those that are missing', () => {
    expect(wantedScopes('a b', null, 'b c', undefined)).toBe('a b c')
    expect(wantedScopes(undefined, '')).toBeNull()
    expect(missingScopes('a c', 'a b')).toEqual(['c'])
  })
  it('compares issuers but for one slash, and URLs as they are resolved', () => {
    expect(sameIssuer('https://a.example/', 'https://a.example')).toBe(true)
    expect(sameIssuer('https://a.example/x', 'https://a.example/X')).toBe(false)
    expect(sameUrl('https://A.example:443/mcp', 'https://a.example/mcp')).toBe(true)
    expect(sameUrl('https://a.example/mcp?x', 'https://a.example/mcp')).toBe(false)
    expect(sameUrl('not a url', 'not a url')).toBe(false)
  })
  it('reads who is signed in from a token that tells, and from nothing else', () => {
    const jwt = (claims: object): string =>
      `e30.${Buffer.from(JSON.stringify(claims)).toString('base64url')}.${Buffer.from('x').toString('base64url')}`
    expect(whoIs({ access_token: 'opaque' })).toBeNull()
    expect(whoIs({ access_token: jwt({ sub: '42' }) })).toBe('42')
    expect(whoIs({ access_token: jwt({ sub: '42' }), id_token: jwt({ sub: '42', email: 'a@b.c' }) })).toBe('a@b.c')
  })
  it('shows what a service wrote as one short line', () => {
    expect(oneLine('a\nb\u202e\tc')).toBe('a b c')
    expect(oneLine('x'.repeat(1_000))).toHaveLength(300)
  })
  it('takes an answer only with its state, from the browser that began, and in time', () => {
    const digest = (text: string): string => createHash('sha256').update(text).digest('base64url')
    const pending = (browser: string | null): PendingSignIn =>
      ({
        stateHash: digest('s'),
        browserHash: browser === null ? null : digest(browser),
        expiresAt: 10,
      }) as PendingSignIn
    expect(isAnswerTo(pending(null), 's', null, 9)).toBe(true)
    expect(isAnswerTo(pending(null), 's', 'any', 9)).toBe(true)
    expect(isAnswerTo(pending('b'), 's', 'b', 9)).toBe(true)
    expect(isAnswerTo(pending('b'), 's', null, 9)).toBe(false)
    expect(isAnswerTo(pending('b'), 's', 'c', 9)).toBe(false)
    expect(isAnswerTo(pending(null), 't', null, 9)).toBe(false)
    expect(isAnswerTo(pending(null), 's', null, 10)).toBe(false)
    expect(isAnswerTo(null, 's', null, 9)).toBe(false)
  })
})
