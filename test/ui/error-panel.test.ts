import { expect, it } from 'vitest'
import { problemOf } from '../../renderer/lib/problem.ts'
import ErrorPanel from '../../renderer/ui/ErrorPanel.vue'
import { mountInPage } from './mount.ts'

const problem = {
  type: 'about:blank',
  title: 'HUB_NAME_COLLISION',
  status: 409,
  code: 'HUB_NAME_COLLISION',
  detail: 'one/echo and two/echo would both be named same',
  cure: 'Rename one of them.',
}

it('says what failed, the cause in the hub’s words, the cure and the code, and offers to try again', async () => {
  let tried = 0
  const wrapper = mountInPage(ErrorPanel, {
    title: 'The profile could not be saved',
    error: problemOf(409, JSON.stringify(problem), 'PUT /api/profiles/x'),
    retry: () => (tried += 1),
  })
  const alert = wrapper.get('[role="alert"]')
  for (const text of ['The profile could not be saved', problem.detail, problem.cure, problem.code])
    expect(alert.text()).toContain(text)
  const again = wrapper.findAll('button').find((button) => button.text() === 'Try again')
  await again?.trigger('click')
  expect(tried).toBe(1)
})

it('shows hostile text as text', () => {
  const error = new Error('<img src=x onerror=alert(1)>')
  const wrapper = mountInPage(ErrorPanel, { title: 'Failed', error })
  expect(wrapper.find('img').exists()).toBe(false)
  expect(wrapper.text()).toContain('<img src=x onerror=alert(1)>')
})
