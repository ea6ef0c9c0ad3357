import { VueQueryPlugin, type QueryClient } from '@tanstack/vue-query'
import { mount, type VueWrapper } from '@vue/test-utils'
import { createPinia } from 'pinia'
import { defineComponent, h, type Component } from 'vue'
import { createI18n } from 'vue-i18n'
import { createMemoryHistory, createRouter, type Router } from 'vue-router'
import { commandsKey, createCommandRegistry, type CommandRegistry } from '../../renderer/lib/commands.ts'
import { keys } from '../../renderer/lib/queries.ts'
import { createQueryClient } from '../../renderer/lib/query-client.ts'
import en from '../../renderer/locales/en.json'
import Tooltip from '../../renderer/ui/Tooltip.vue'

export interface Shown {
  wrapper: VueWrapper
  queries: QueryClient
  router: Router
  commands: CommandRegistry
  /** By role and name, as a screen reader finds it. */
  get: (role: Role, name: string | RegExp) => HTMLElement
  find: (role: Role, name: string | RegExp) => HTMLElement | null
}

type Role = 'button' | 'textbox' | 'combobox' | 'radio' | 'switch' | 'checkbox' | 'link' | 'option' | 'alert'

const selectors: Record<Role, string> = {
  button: 'button:not([role]), [role="button"]',
  textbox: 'input:not([type]), input[type="text"], textarea, [role="textbox"]',
  combobox: 'select, [role="combobox"]',
  radio: 'input[type="radio"]',
  switch: '[role="switch"]',
  checkbox: 'input[type="checkbox"]',
  link: 'a[href]',
  option: '[role="option"]',
  alert: '[role="alert"]',
}

function nameOf(element: Element): string {
  const labelled = element.getAttribute('aria-label')
  if (labelled !== null) return labelled
  const label = element.id === '' ? null : document.querySelector(`label[for="${element.id}"]`)
  return (label ?? element.closest('label') ?? element).textContent.trim()
}

/** A component with everything around it that the app has, signed in as the administrator. */
export function show(component: Component, props: Record<string, unknown> = {}): Shown {
  const queryClient = createQueryClient()
  queryClient.setQueryData(keys.me, { user: { name: 'admin', role: 'admin' }, setupNeeded: false, mode: 'server' })
  const commands = createCommandRegistry()
  const blank = defineComponent(() => () => null)
  const router = createRouter({
    history: createMemoryHistory(),
    routes: [
      { path: '/servers/:name', name: 'server', component: blank },
      { path: '/servers/:name/logs', name: 'server-logs', component: blank },
      { path: '/servers/:name/settings', name: 'server-settings', component: blank },
      { path: '/tools/:server/:tool', name: 'try', component: blank },
      { path: '/activity/:id', name: 'request', component: blank },
      { path: '/:rest(.*)*', component: blank },
    ],
  })
  const wrapper = mount(
    defineComponent(() => () => [h(component, props), h(Tooltip)]),
    {
      attachTo: document.body,
      global: {
        plugins: [
          createPinia(),
          createI18n({ legacy: false, locale: 'en', messages: { en } }),
          [VueQueryPlugin, { queryClient }],
          router,
        ],
        provide: { [commandsKey as symbol]: commands },
      },
    },
  )
  const find = (role: Role, name: string | RegExp): HTMLElement | null =>
    [...document.querySelectorAll<HTMLElement>(selectors[role])].find((element) =>
      typeof name === 'string' ? nameOf(element) === name : name.test(nameOf(element)),
    ) ?? null
  return {
    wrapper,
    queries: queryClient,
    router,
    commands,
    find,
    get(role, name) {
      const found = find(role, name)
      if (found === null) throw new Error(`There is no ${role} named ${String(name)} in\n${document.body.innerHTML}`)
      return found
    },
  }
}

/** Puts a text into a field as typing does. */
export function type(field: HTMLElement, text: string): void {
  ;(field as HTMLInputElement).value = text
  field.dispatchEvent(new Event('input', { bubbles: true }))
}

export function press(target: EventTarget, key: string, more: KeyboardEventInit = {}): void {
  target.dispatchEvent(new KeyboardEvent('keydown', { key, bubbles: true, cancelable: true, ...more }))
}
