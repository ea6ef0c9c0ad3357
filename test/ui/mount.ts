import { mount, type VueWrapper } from '@vue/test-utils'
import { createPinia } from 'pinia'
import { VueQueryPlugin } from '@tanstack/vue-query'
import type { Component, DefineComponent } from 'vue'
import { createI18n } from 'vue-i18n'
import { createMemoryHistory, createRouter } from 'vue-router'
import en from '../../renderer/locales/en.json' with { type: 'json' }

/** A component as the page mounts it: in English, with router, store and queries. */
export function mountInPage(component: Component, props: Record<string, unknown> = {}): VueWrapper {
  const i18n = createI18n({ legacy: false, locale: 'en', messages: { en } })
  const router = createRouter({
    history: createMemoryHistory(),
    routes: [{ path: '/:rest(.*)*', component: { template: '<div />' } }],
  })
  return mount(component as DefineComponent, {
    props: props as never,
    attachTo: document.body,
    global: { plugins: [i18n, router, createPinia(), VueQueryPlugin] },
  })
}
