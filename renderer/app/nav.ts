import { Activity, Layers, LayoutDashboard, Rocket, Server, Settings, Users, Wrench } from '@lucide/vue'
import type { Component } from 'vue'

export const navItems: readonly {
  to: string
  label: string
  icon: Component
  keys: string
  also?: readonly string[]
}[] = [
  { to: '/', label: 'nav.overview', icon: LayoutDashboard, keys: 'g o' },
  { to: '/servers', label: 'nav.servers', icon: Server, keys: 'g s' },
  { to: '/tools', label: 'nav.tools', icon: Wrench, keys: 'g t', also: ['/prompts', '/resources'] },
  { to: '/profiles', label: 'nav.profiles', icon: Layers, keys: 'g f' },
  { to: '/activity', label: 'nav.activity', icon: Activity, keys: 'g a' },
  { to: '/publish', label: 'nav.publish', icon: Rocket, keys: 'g p' },
  { to: '/access', label: 'nav.access', icon: Users, keys: 'g u' },
  { to: '/settings', label: 'nav.settings', icon: Settings, keys: 'g e' },
]

/** Pages below those, which the palette finds by name; `manage` are of whoever manages the hub. */
export const furtherPages: readonly { to: string; label: string; manage?: true }[] = [
  { to: '/prompts', label: 'offers.prompts.title' },
  { to: '/resources', label: 'offers.resources.title' },
  { to: '/settings/hub', label: 'settings.hub.title', manage: true },
  { to: '/settings/versions', label: 'versions.title', manage: true },
  { to: '/settings/backups', label: 'backups.title', manage: true },
  { to: '/reference', label: 'reference.title' },
]
