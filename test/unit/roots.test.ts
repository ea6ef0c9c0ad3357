import { expect, it } from 'vitest'
import { stdioServerSchema } from '../../hub/contract/index.ts'
import { rootsOf } from '../../hub/upstream/roots.ts'

const check = (root: unknown) => stdioServerSchema.safeParse({ command: 'x', hub: { roots: [root] } })

it.each([
  ['/srv/data', { uri: 'file:///srv/data', name: 'data' }],
  ['/srv/with space#1/', { uri: 'file:///srv/with%20space%231/', name: 'with space#1' }],
  ['/', { uri: 'file:///', name: '/' }],
  ['C:\\Users\\ann', { uri: 'file:///C:/Users/ann', name: 'ann' }],
  ['\\\\host\\share', { uri: 'file://host/share', name: 'share' }],
  ['file:///srv/z%C3%BCrich', { uri: 'file:///srv/z%C3%BCrich', name: 'zürich' }],
])('the root %s is told as a URI with a name', (entry, root) => {
  expect(check(entry).success).toBe(true)
  expect(rootsOf([entry])).toEqual([root])
})

it.each([
  '',
  'data',
  './data',
  '~/data',
  '${home}/data',
  'https://example.com/',
  'file:data',
  'file:///a?b',
  'file:///%zz',
  '/a\nb',
])('%j is no root, and the fault says what is one', (entry) => {
  const issue = check(entry).error?.issues[0]
  expect(issue?.path).toEqual(['hub', 'roots', 0])
  expect(issue?.message).toContain('an absolute path')
})
