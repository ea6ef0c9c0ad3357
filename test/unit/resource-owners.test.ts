import { describe, expect, it } from 'vitest'
import { exposeUris, uiUris, withUiUris } from '../../hub/gateway/exposed-uris.ts'
import { Reply } from '../../hub/gateway/json-rpc.ts'
import { createResourceOwners, type ResourceMember } from '../../hub/gateway/resource-owners.ts'
import type { Upstream } from '../../hub/upstream/upstream.ts'

const [first, second] = ['first', 'second'].map((prefix) => ({ prefix })) as unknown as [Upstream, Upstream]
const member = (upstream: Upstream, more: Partial<ResourceMember> = {}): ResourceMember => ({
  upstream,
  uris: [],
  templates: [],
  shows: () => true,
  ...more,
})

describe('a URI that two servers offer', () => {
  const owners = createResourceOwners([
    member(first, { uris: ['note://a', 'note://a#part', 'note://mine'] }),
    member(second, { uris: ['note://a', 'note://a#part', 'note://yours'], shows: (uri) => uri !== 'note://hidden' }),
  ])

  it('is the first one’s, and the other’s under a mark', () => {
    expect(owners.exposed(first, 'note://a')).toBe('note://a')
    expect(owners.find('note://a')).toEqual({ upstream: first, uri: 'note://a' })
    expect(owners.exposed(second, 'note://a')).toBe('note://a#server=second')
    expect(owners.find('note://a#server=second')).toEqual({ upstream: second, uri: 'note://a' })
    expect(owners.exposed(second, 'note://a#part')).toBe('note://a#part&server=second')
    expect(owners.find('note://a#part&server=second')).toEqual({ upstream: second, uri: 'note://a#part' })
  })

  it('changes nothing for other URIs, and only its second owner has to be looked after', () => {
    expect(owners.exposed(second, 'note://yours')).toBe('note://yours')
    expect([first, second].map((upstream) => owners.hasMarked(upstream))).toEqual([false, true])
  })

  it('can be marked by the client, as any URI: of the first owner too, but of nobody who is not shown', () => {
    expect(owners.find('note://a#server=first')).toEqual({ upstream: first, uri: 'note://a' })
    expect(owners.find('note://unlisted#server=second')).toEqual({ upstream: second, uri: 'note://unlisted' })
    expect(owners.find('note://hidden#server=second')).toBeNull()
    expect(owners.find('note://a#server=third')).toBeNull()
  })
})

describe('templates of two servers that match the same URIs', () => {
  const owners = createResourceOwners([
    member(first, { templates: ['note://{id}'] }),
    member(second, { templates: ['note://{name}', 'file://{path}'] }),
  ])
  it('are told apart by the mark, whatever their variables are called', () => {
    expect(owners.exposedTemplate(first, 'note://{id}')).toBe('note://{id}')
    expect(owners.exposedTemplate(second, 'note://{name}')).toBe('note://{name}#server=second')
    expect(owners.exposedTemplate(second, 'file://{path}')).toBe('file://{path}')
    expect(owners.findTemplate('note://{name}#server=second')).toEqual({ upstream: second, uri: 'note://{name}' })
    expect(owners.find('note://x')).toEqual({ upstream: first, uri: 'note://x' })
    expect(owners.find('note://x#server=second')).toEqual({ upstream: second, uri: 'note://x' })
  })
})

describe('what a server answers', () => {
  const expose = (uri: string): string => `${uri}#server=second`

  it('names its resources as the client knows them, and is else as it was', () => {
    const resource = { type: 'resource', resource: { uri: 'a://1', text: 'uri' } }
    const link = { type: 'resource_link', uri: 'a://2', name: 'n' }
    const text = { type: 'text', text: 'a://1', uri: 'a://3' }
    const marked = [
      { ...resource, resource: { ...resource.resource, uri: 'a://1#server=second' } },
      { ...link, uri: 'a://2#server=second' },
      text,
    ]
    const result = (value: object): unknown => exposeUris(Reply.result(value), expose).message.result
    expect(result({ content: [resource, link, text], isError: false })).toEqual({ content: marked, isError: false })
    expect(result({ messages: [{ role: 'user', content: link }, { content: [resource] }] })).toEqual({
      messages: [{ role: 'user', content: marked[1] }, { content: [marked[0]] }],
    })
    expect(result({ contents: [{ uri: 'a://1', blob: 'x' }] })).toEqual({
      contents: [{ uri: 'a://1#server=second', blob: 'x' }],
    })
  })

  it('is not looked into where it names none', () => {
    for (const bytes of ['{"jsonrpc":"2.0","id":1,"result":{"a":1}}', '{"jsonrpc":"2.0","id":1,"result":{"uri":}}']) {
      const reply = Reply.fromBytes(Buffer.from(bytes))!
      expect(exposeUris(reply, expose)).toBe(reply)
    }
  })

  it('as the interface of a tool is renamed in both of its forms', () => {
    const tool = { name: 't', _meta: { ui: { resourceUri: 'ui://w', csp: 1 }, 'ui/resourceUri': 'ui://w', other: 1 } }
    expect(uiUris(tool)).toEqual(['ui://w', 'ui://w'])
    expect(withUiUris(tool, expose)['_meta']).toEqual({
      ui: { resourceUri: 'ui://w#server=second', csp: 1 },
      'ui/resourceUri': 'ui://w#server=second',
      other: 1,
    })
    expect(withUiUris({ name: 'u' }, expose)).toEqual({ name: 'u' })
  })
})
