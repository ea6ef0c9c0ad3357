import { flushPromises, mount } from '@vue/test-utils'
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { defineComponent } from 'vue'
import { toast } from 'vue-sonner'
import type { Command } from '../../renderer/lib/commands.ts'
import { press } from './show.ts'

/** The keys that a page on this system listens to, with what was run by them. */
async function listen(platform: string, commands: Pick<Command, 'keys' | 'run'>[]): Promise<() => void> {
  vi.stubGlobal('navigator', { platform })
  vi.resetModules()
  const { useShortcuts } = await import('../../renderer/lib/shortcuts.ts')
  const all = commands.map((command): Command => ({ id: 'x', group: 'act', title: 'Copy the token', ...command }))
  const page = mount(
    defineComponent(() => {
      useShortcuts({ commands: () => all, singleKeys: () => true })
      return () => null
    }),
  )
  return () => page.unmount()
}

let stop: () => void
beforeEach(() => (stop = () => undefined))
afterEach(() => {
  stop()
  vi.unstubAllGlobals()
  vi.restoreAllMocks()
})

describe('a shortcut', () => {
  it.each([
    ['MacIntel', { ctrlKey: true }, { metaKey: true }],
    ['Linux x86_64', { metaKey: true }, { ctrlKey: true }],
  ])('is no chord of the system itself on %s', async (platform, foreign, own) => {
    const ran: string[] = []
    stop = await listen(platform, [
      { keys: 'a', run: () => ran.push('a') },
      { keys: 'mod+k', run: () => ran.push('mod+k') },
    ])
    press(document.body, 'a', foreign)
    press(document.body, 'k', { ...foreign, ...own })
    expect(ran).toEqual([])
    press(document.body, 'a')
    press(document.body, 'k', own)
    expect(ran).toEqual(['a', 'mod+k'])
  })

  it('says why what it was to do was refused', async () => {
    const said = vi.spyOn(toast, 'error')
    stop = await listen('Linux x86_64', [
      { keys: 'a', run: () => Promise.reject(new Error('The hub is not running.')) },
    ])
    press(document.body, 'a')
    await flushPromises()
    expect(said).toHaveBeenCalledExactlyOnceWith('Copy the token', { description: 'The hub is not running.' })
  })
})
