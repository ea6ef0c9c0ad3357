import { flushPromises } from '@vue/test-utils'
import { afterEach, expect, it, vi } from 'vitest'
import { defineComponent, h, shallowRef } from 'vue'
import UsersTab from '../../renderer/features/access/UsersTab.vue'
import { keys } from '../../renderer/lib/queries.ts'
import { eventually } from './eventually.ts'
import { show } from './show.ts'

afterEach(() => vi.unstubAllGlobals())

it('says again who was not used for long each time the users are opened', async () => {
  const user = { name: 'ann', role: 'user', disabled: false, scope: null, mustChangePassword: false, sessions: 0 }
  const ann = { ...user, createdAt: 0, passwordChangedAt: 0, lastSeenAt: 0, lockouts: [] }
  const grant = { kind: 'user', id: 'ann', name: 'ann', owner: null, role: 'user', scope: null }
  let unused: unknown[] = [{ ...grant, createdAt: 0, lastUsedAt: 0 }]
  vi.stubGlobal('fetch', (path: string) =>
    Promise.resolve(Response.json(path.startsWith('/api/access/unused') ? unused : [ann])),
  )
  const open = shallowRef(false)
  const page = show(defineComponent(() => () => (open.value ? h(UsersTab) : null)))
  const me = { user: { name: 'admin', role: 'admin' }, permissions: ['users:manage', 'keys:manage'] }
  page.queries.setQueryData(keys.me, { ...me, mustChangePassword: false, setupNeeded: false, mode: 'server' })
  const said = (): boolean => page.wrapper.text().includes('Not used for 90 days')
  const reopen = async (): Promise<void> => {
    open.value = false
    await flushPromises()
    open.value = true
  }
  await reopen()
  await eventually(() => expect(said()).toBe(true))
  unused = []
  await reopen()
  await eventually(() => expect(said()).toBe(false))
  page.wrapper.unmount()
})
