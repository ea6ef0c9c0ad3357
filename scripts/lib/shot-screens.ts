import type { Page } from 'playwright'
import { say, told } from '../../hub/say.ts'
import { dialogs, showWebhooks } from './shot-dialogs.ts'

/** What keeps a page from what it asks for, on the paths that `at` is in. */
export interface Trouble {
  at: string
  /** No answer, an answer of a hub that has a fault, or a refusal because the role may not. */
  as: 'silent' | 'broken' | 'forbidden'
}

export interface Screen {
  name: string
  path: string
  /** On a hub without servers, one that nobody has set up, or one whose tools have apps, instead of on the example. */
  hub?: 'empty' | 'new' | 'apps'
  anonymous?: boolean
  /** By somebody who was given a password for once. */
  newcomer?: boolean
  trouble?: Trouble
  /** As in the app, where there are targets to push to; with the run that a press of Push shows. */
  desktop?: 'no-targets' | 'failed-targets' | 'targets' | 'confirm' | 'host-key' | 'upload' | 'failed'
  /** What is done before the picture is taken. */
  act?: (page: Page) => Promise<unknown>
}

/** The same screen when its data does not come. */
const error = (name: string, path: string, at: string): Screen => ({ name, path, trouble: { at, as: 'broken' } })

/** The app of a tool, once it runs; with a press of one of its buttons. */
const app = (name: string, button?: string): Screen => ({
  name,
  path: '/tools/weather/weather',
  hub: 'apps',
  act: async (page) => {
    await page.getByLabel('city', { exact: true }).fill('Lisbon')
    await page.keyboard.press('Control+Enter')
    const frame = page.frameLocator('iframe')
    await frame.getByText('21 degrees').waitFor()
    if (button !== undefined) await frame.getByRole('button', { name: button }).click()
    await page.locator('iframe').scrollIntoViewIfNeeded()
  },
})

/** What is chosen is remembered: the pictures after it are to be as they were. */
async function showCards(page: Page): Promise<void> {
  await page.locator('input[type=radio][value=cards]').check({ force: true })
  await page.evaluate(`localStorage.removeItem('mcp-hub.servers-view')`)
}

const full: Screen[] = [
  { name: 'overview', path: '/' },
  { name: 'servers', path: '/servers' },
  { name: 'servers-cards', path: '/servers', act: showCards },
  { name: 'add-server', path: '/servers/add' },
  { name: 'server', path: '/servers/everything' },
  { name: 'server-failed', path: '/servers/issue-tracker' },
  {
    name: 'server-tools',
    path: '/servers/everything/tools',
    act: (page) => page.getByRole('columnheader').getByRole('checkbox').check(),
  },
  { name: 'server-logs', path: '/servers/everything/logs' },
  { name: 'server-doctor', path: '/servers/issue-tracker/doctor' },
  { name: 'server-settings', path: '/servers/everything/settings' },
  { name: 'tools', path: '/tools' },
  { name: 'try', path: '/tools/everything/get-sum' },
  {
    name: 'try-result',
    path: '/tools/everything/get-structured-content',
    act: async (page) => {
      await page.locator('main form select').selectOption({ index: 1 })
      await page.keyboard.press('Control+Enter')
      const result = page.locator('main').getByText('temperature').last()
      await result.waitFor()
      await result.scrollIntoViewIfNeeded()
    },
  },
  { name: 'try-quarantined', path: '/tools/files/move_file' },
  app('app'),
  app('app-files', 'Export'),
  app('app-model', 'Ask'),
  app('app-fullscreen', 'Widen'),
  { name: 'prompts', path: '/prompts' },
  { name: 'prompt', path: '/prompts/everything/args-prompt' },
  { name: 'resources', path: '/resources' },
  { name: 'resource', path: '/resources/everything?uri=demo%3A%2F%2Fresource%2Fstatic%2Fdocument%2Farchitecture.md' },
  { name: 'profiles', path: '/profiles' },
  { name: 'profile', path: '/profiles/research?server=everything' },
  { name: 'profile-preview', path: '/profiles/research?view=preview' },
  { name: 'activity', path: '/activity' },
  { name: 'activity-filtered', path: '/activity?q=no+such+thing' },
  { name: 'request', path: '/activity/13' },
  { name: 'request-failed', path: '/activity/14?with=12' },
  { name: 'access-users', path: '/access/users' },
  { name: 'access-keys', path: '/access/keys' },
  { name: 'access-sessions', path: '/access/sessions' },
  { name: 'access-audit', path: '/access/audit' },
  { name: 'publish', path: '/publish' },
  { name: 'publish-files', path: '/publish?view=files&file=nginx/mcp-hub.conf' },
  { name: 'publish-checks', path: '/publish?view=checks' },
  { name: 'publish-secrets', path: '/publish?view=secrets' },
  { name: 'targets', path: '/publish', desktop: 'targets' },
  { name: 'new-target', path: '/publish/new', desktop: 'targets' },
  { name: 'target', path: '/publish/targets/production', desktop: 'targets' },
  { name: 'target-bundle', path: '/publish/targets/production/bundle', desktop: 'targets' },
  { name: 'target-history', path: '/publish/targets/production/history?publish=r3', desktop: 'targets' },
  { name: 'target-settings', path: '/publish/targets/production/settings', desktop: 'targets' },
  { name: 'push-host-key', path: '/publish/targets/production', desktop: 'host-key' },
  { name: 'push-confirm', path: '/publish/targets/production', desktop: 'confirm' },
  { name: 'push-upload', path: '/publish/targets/production', desktop: 'upload' },
  { name: 'push-failed', path: '/publish/targets/production', desktop: 'failed' },
  { name: 'settings', path: '/settings' },
  { name: 'webhooks', path: '/settings', act: showWebhooks },
  { name: 'versions', path: '/settings/versions?version=1' },
  { name: 'versions-users', path: '/settings/versions?of=users&version=1' },
  { name: 'versions-pushes', path: '/settings/versions?of=pushes' },
  { name: 'backups', path: '/settings/backups' },
  { name: 'hub-settings', path: '/settings/hub' },
  { name: 'reference', path: '/reference?operation=postServers&q=servers' },
  { name: 'login', path: '/login', anonymous: true },
  { name: 'setup', path: '/setup', anonymous: true, hub: 'new' },
  { name: 'password', path: '/password', newcomer: true },
]

const empty: Screen[] = [
  { name: 'overview-empty', path: '/', hub: 'empty' },
  { name: 'servers-empty', path: '/servers', hub: 'empty' },
  { name: 'tools-empty', path: '/tools', hub: 'empty' },
  { name: 'tools-no-match', path: '/tools?q=no+such+thing' },
  { name: 'prompts-empty', path: '/prompts', hub: 'empty' },
  { name: 'resources-empty', path: '/resources', hub: 'empty' },
  { name: 'profiles-empty', path: '/profiles', hub: 'empty' },
  { name: 'activity-empty', path: '/activity', hub: 'empty' },
  { name: 'access-keys-empty', path: '/access/keys', hub: 'empty' },
  { name: 'targets-empty', path: '/publish', desktop: 'no-targets' },
  { name: 'publish-empty', path: '/publish', hub: 'empty' },
  { name: 'webhooks-empty', path: '/settings', hub: 'empty', act: showWebhooks },
  { name: 'versions-empty', path: '/settings/versions', hub: 'empty' },
  { name: 'backups-empty', path: '/settings/backups', hub: 'empty' },
  { name: 'hub-settings-empty', path: '/settings/hub?q=nothing-of-the-kind', hub: 'empty' },
]

const failing: Screen[] = [
  error('overview-error', '/', '/api/s'),
  { name: 'servers-error', path: '/servers', trouble: { at: '/api/servers', as: 'silent' } },
  { name: 'server-gone', path: '/servers/no-such-server' },
  error('server-error', '/servers/everything', '/api/servers/everything'),
  error('tools-error', '/tools', '/api/tools'),
  { name: 'try-gone', path: '/tools/everything/no-such-tool' },
  error('prompts-error', '/prompts', '/api/prompts'),
  error('resources-error', '/resources', '/api/resources'),
  error('profiles-error', '/profiles', '/api/profiles'),
  error('profile-error', '/profiles/research', '/api/profiles/research'),
  error('activity-error', '/activity', '/api/history'),
  { name: 'request-gone', path: '/activity/999999' },
  error('access-users-error', '/access/users', '/api/users'),
  error('access-keys-error', '/access/keys', '/api/keys'),
  error('access-sessions-error', '/access/sessions', '/api/sessions'),
  error('access-audit-error', '/access/audit', '/api/audit'),
  error('publish-error', '/publish', '/api/publish/preview'),
  { ...error('targets-error', '/publish', '/api/publish/targets'), desktop: 'failed-targets' },
  error('settings-error', '/settings', '/api/hub'),
  { ...error('webhooks-error', '/settings', '/api/webhooks'), act: showWebhooks },
  error('versions-error', '/settings/versions', '/api/config/versions'),
  error('backups-error', '/settings/backups', '/api/backups'),
  error('hub-settings-error', '/settings/hub', '/api/settings'),
  error('reference-error', '/reference', '/api/openapi'),
  { name: 'not-found', path: '/no-such-page' },
  { name: 'unreachable', path: '/', trouble: { at: '/api/', as: 'silent' } },
  {
    name: 'connection-lost',
    path: '/servers',
    trouble: { at: '/api/events', as: 'silent' },
    act: (page) => page.getByRole('alert').first().waitFor(),
  },
  { name: 'permission-taken', path: '/access/users', trouble: { at: '/api/users', as: 'forbidden' } },
]

export const screens: readonly Screen[] = [...full, ...dialogs, ...empty, ...failing]

/** In the hub's own words, which have those of every language beside them. */
const problems = {
  broken: told({
    status: 500,
    code: 'HUB_INTERNAL',
    title: 'HUB_INTERNAL',
    detail: say`The hub failed; its log has the details`,
    cure: say`Try again; if it stays, report it with the log.`,
  }),
  forbidden: told({
    status: 403,
    code: 'HUB_FORBIDDEN',
    title: 'HUB_FORBIDDEN',
    detail: say`${'admin'} (${'viewer'}) lacks the permission ${'users:read'}`,
    cure: say`Ask an administrator to do it, or for a role or key that may.`,
  }),
}

/** Has a page's requests end as its trouble says. */
export async function makeTrouble(page: Page, { at, as }: Trouble): Promise<void> {
  await page.route(
    ({ pathname }) => pathname.startsWith(at),
    (route) => {
      if (as === 'silent') return route.abort()
      const problem = problems[as]
      const body = JSON.stringify({ type: 'about:blank', ...problem })
      return route.fulfill({ status: problem.status, contentType: 'application/problem+json', body })
    },
  )
}

/** Has a page believe that its user must choose another password. */
export async function asNewcomer(page: Page): Promise<void> {
  await page.route('**/api/auth/me', async (route) => {
    const response = await route.fetch()
    const me = (await response.json()) as object
    await route.fulfill({ response, json: { ...me, mustChangePassword: true } })
  })
}
