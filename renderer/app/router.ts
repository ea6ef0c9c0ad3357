import type { QueryClient } from '@tanstack/vue-query'
import { createRouter, createWebHistory, type Router, type RouteRecordRaw } from 'vue-router'
import { api } from '../lib/api.ts'
import { keys } from '../lib/queries.ts'

declare module 'vue-router' {
  interface RouteMeta {
    /** Key of the page's name, for the window's title. */
    title?: string
    /** Shown without a session. */
    public?: boolean
  }
}

/** Not in what users get: the condition is false there, and what only it leads to is left out. */
const development: RouteRecordRaw[] =
  import.meta.env.DEV || import.meta.env.MODE === 'gallery'
    ? [{ path: '/dev/ui', name: 'gallery', component: () => import('../dev/gallery/GalleryPage.vue') }]
    : []

export function createAppRouter(client: QueryClient): Router {
  const router = createRouter({
    history: createWebHistory(),
    routes: [
      {
        path: '/',
        name: 'overview',
        meta: { title: 'nav.overview' },
        component: () => import('../features/overview/OverviewPage.vue'),
      },
      {
        path: '/servers',
        name: 'servers',
        meta: { title: 'nav.servers' },
        component: () => import('../features/servers/ServersPage.vue'),
      },
      {
        path: '/servers/add',
        name: 'add-server',
        meta: { title: 'add.title' },
        component: () => import('../features/servers/add/AddServerPage.vue'),
      },
      {
        path: '/servers/:name',
        component: () => import('../features/server/ServerPage.vue'),
        props: true,
        meta: { title: 'nav.servers' },
        children: [
          { path: '', name: 'server', component: () => import('../features/server/ServerOverview.vue') },
          {
            path: 'tools',
            name: 'server-tools',
            component: () => import('../features/server/ServerTools.vue'),
          },
          {
            path: 'logs',
            name: 'server-logs',
            component: () => import('../features/server/logs/ServerLogs.vue'),
          },
          {
            path: 'doctor',
            name: 'server-doctor',
            component: () => import('../features/server/ServerDoctor.vue'),
          },
          {
            path: 'settings',
            name: 'server-settings',
            component: () => import('../features/server/ServerSettings.vue'),
          },
        ],
      },
      {
        path: '/tools',
        name: 'tools',
        meta: { title: 'nav.tools' },
        component: () => import('../features/tools/ToolsPage.vue'),
      },
      {
        path: '/tools/:server/:tool',
        name: 'try',
        props: true,
        meta: { title: 'try.title' },
        component: () => import('../features/tools/TryPage.vue'),
      },
      {
        path: '/prompts',
        name: 'prompts',
        meta: { title: 'offers.prompts.title' },
        component: () => import('../features/offers/PromptsPage.vue'),
      },
      {
        path: '/prompts/:server/:prompt',
        name: 'prompt',
        props: true,
        meta: { title: 'try.title' },
        component: () => import('../features/offers/PromptPage.vue'),
      },
      {
        path: '/resources',
        name: 'resources',
        meta: { title: 'offers.resources.title' },
        component: () => import('../features/offers/ResourcesPage.vue'),
      },
      {
        path: '/resources/:server',
        name: 'resource',
        props: true,
        meta: { title: 'try.title' },
        component: () => import('../features/offers/ResourcePage.vue'),
      },
      {
        path: '/profiles',
        name: 'profiles',
        meta: { title: 'nav.profiles' },
        component: () => import('../features/profiles/ProfilesPage.vue'),
      },
      {
        path: '/profiles/:name',
        name: 'profile',
        props: true,
        meta: { title: 'nav.profiles' },
        component: () => import('../features/profiles/ProfilePage.vue'),
      },
      {
        path: '/activity',
        name: 'activity',
        meta: { title: 'nav.activity' },
        component: () => import('../features/activity/ActivityPage.vue'),
      },
      {
        path: '/activity/:id',
        name: 'request',
        props: true,
        meta: { title: 'request.title' },
        component: () => import('../features/activity/RequestPage.vue'),
      },
      {
        path: '/publish',
        name: 'publish',
        props: { bundle: false },
        meta: { title: 'nav.publish' },
        component: () => import('../features/publish/PublishPage.vue'),
      },
      {
        path: '/publish/bundle',
        name: 'publish-bundle',
        props: { bundle: true },
        meta: { title: 'nav.publish' },
        component: () => import('../features/publish/PublishPage.vue'),
      },
      {
        path: '/publish/new',
        name: 'new-target',
        meta: { title: 'publish.targets.new' },
        component: () => import('../features/publish/target/NewTargetPage.vue'),
      },
      {
        path: '/publish/targets/:name',
        component: () => import('../features/publish/target/TargetPage.vue'),
        props: true,
        meta: { title: 'nav.publish' },
        children: [
          { path: '', name: 'target', component: () => import('../features/publish/target/TargetPublish.vue') },
          {
            path: 'bundle',
            name: 'target-bundle',
            component: () => import('../features/publish/target/TargetBundle.vue'),
          },
          {
            path: 'history',
            name: 'target-history',
            component: () => import('../features/publish/target/TargetHistory.vue'),
          },
          {
            path: 'settings',
            name: 'target-settings',
            component: () => import('../features/publish/target/TargetSettings.vue'),
          },
        ],
      },
      {
        path: '/access',
        name: 'access',
        component: () => import('../features/access/AccessPage.vue'),
        meta: { title: 'nav.access' },
        children: [
          { path: 'users', name: 'access-users', component: () => import('../features/access/UsersTab.vue') },
          { path: 'keys', name: 'access-keys', component: () => import('../features/access/KeysTab.vue') },
          { path: 'sessions', name: 'access-sessions', component: () => import('../features/access/SessionsTab.vue') },
          { path: 'audit', name: 'access-audit', component: () => import('../features/access/AuditTab.vue') },
        ],
      },
      {
        path: '/settings',
        name: 'settings',
        meta: { title: 'nav.settings' },
        component: () => import('../features/settings/SettingsPage.vue'),
      },
      {
        path: '/settings/hub',
        name: 'hub-settings',
        meta: { title: 'settings.hub.title' },
        component: () => import('../features/settings/hub/HubSettingsPage.vue'),
      },
      {
        path: '/settings/versions',
        name: 'versions',
        meta: { title: 'versions.title' },
        component: () => import('../features/versions/VersionsPage.vue'),
      },
      {
        path: '/settings/backups',
        name: 'backups',
        meta: { title: 'backups.title' },
        component: () => import('../features/backups/BackupsPage.vue'),
      },
      {
        path: '/reference',
        name: 'reference',
        meta: { title: 'reference.title' },
        component: () => import('../features/reference/ReferencePage.vue'),
      },
      {
        path: '/login',
        name: 'login',
        meta: { title: 'login.title', public: true },
        component: () => import('../features/auth/LoginPage.vue'),
      },
      {
        path: '/setup',
        name: 'setup',
        meta: { title: 'setup.title', public: true },
        component: () => import('../features/auth/SetupPage.vue'),
      },
      {
        path: '/password',
        name: 'password',
        meta: { title: 'password.title', public: true },
        component: () => import('../features/auth/PasswordPage.vue'),
      },
      ...development,
      {
        path: '/:path(.*)*',
        name: 'not-found',
        meta: { title: 'notFound.title' },
        component: () => import('./NotFoundPage.vue'),
      },
    ],
  })

  router.beforeEach(async (to) => {
    const me = await client
      .query({ queryKey: keys.me, queryFn: ({ signal }) => api.me(signal), staleTime: 'static' })
      // The page says that the hub does not answer; which door it would have shown does not matter then.
      .catch(() => null)
    if (me === null) return true
    const next = to.fullPath === '/' || to.meta.public ? {} : { query: { next: to.fullPath } }
    if (me.mustChangePassword) return to.name === 'password' ? true : { name: 'password', ...next }
    if (me.user !== null) return to.meta.public ? '/' : true
    if (me.setupNeeded) return to.name === 'setup' ? true : { name: 'setup', hash: to.hash }
    if (to.name === 'login') return true
    return { name: 'login', ...next }
  })
  return router
}
