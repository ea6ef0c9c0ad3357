import { serverName, toolName, TOOLS_EACH } from '../../fixtures/full-catalogue.ts'

/** What a person does to a page: one event of mouse or keyboard. */
export type Input = { click: string } | { wheel: number; over: string } | { key: string }

/** When a page shows what it was asked for: an element of the selector, with the text somewhere in it. */
export interface Shown {
  selector: string
  text?: string
}

export interface Interaction {
  id: string
  what: string
  /** The address that the page is loaded at, so that nothing of an earlier round is there. */
  from: string
  ready: Shown
  /** Keys pressed before, which are not measured. */
  before?: readonly string[]
  input: Input
  shown: Shown
}

/** A screen by its address, as a bookmark opens it. */
export interface Opening {
  id: string
  what: string
  path: string
  shown: Shown
}

const row = (text?: string): Shown => ({
  selector: '[role="grid"] [data-index]',
  ...(text === undefined ? {} : { text }),
})
/** A screen with little on it, which knows of none of what is opened. */
const elsewhere: Pick<Interaction, 'from' | 'ready'> = { from: '/settings/backups', ready: { selector: 'main h1' } }
const nav = (path: string): Input => ({ click: `nav a[href="${path}"]` })
const filtering = { before: ['/', 'End'] }
const scroll: Input = { wheel: 1_500, over: '[role="grid"]' }
/** A row that no page of 800 pixels shows before it is scrolled. */
const scrolled: Shown = { selector: '[role="grid"] [data-index="60"]' }
const failure: Shown = row('The server refused')

const tool = toolName(7)
const aServer = `/servers/${serverName(0)}`
const aTool = `/tools/${serverName(0)}/${tool}`
const palette: Shown = { selector: '[role="dialog"] [role="option"]' }

export const interactions: readonly Interaction[] = [
  { id: 'overview-open', what: 'Overview, open', ...elsewhere, input: nav('/'), shown: { selector: 'main canvas' } },
  { id: 'servers-open', what: 'Servers, open', ...elsewhere, input: nav('/servers'), shown: row() },
  { id: 'servers-scroll', what: 'Servers, scroll', from: '/servers', ready: row(), input: scroll, shown: scrolled },
  {
    id: 'servers-filter',
    what: 'Servers, a letter of a filter',
    from: '/servers?q=server-12',
    ready: row('server-123'),
    ...filtering,
    input: { key: '3' },
    shown: { selector: '[role="grid"][aria-rowcount="2"]' },
  },
  {
    id: 'server-open',
    what: 'Servers, open one',
    from: '/servers',
    ready: row(),
    input: { click: `[role="grid"] a[href="${aServer}"]` },
    shown: { selector: 'main nav a', text: 'Settings' },
  },
  {
    id: 'server-tools',
    what: "A server's tools, open",
    from: aServer,
    ready: { selector: 'main nav a', text: 'Settings' },
    input: { click: `a[href="${aServer}/tools"]` },
    shown: row(),
  },
  { id: 'tools-open', what: 'Tools, open', ...elsewhere, input: nav('/tools'), shown: row() },
  { id: 'tools-scroll', what: 'Tools, scroll', from: '/tools', ready: row(), input: scroll, shown: scrolled },
  {
    id: 'tools-end',
    what: 'Tools, to the end',
    from: '/tools',
    ready: row(),
    input: { wheel: 1_000_000, over: '[role="grid"]' },
    shown: row('merge message 4999'),
  },
  {
    id: 'tools-filter',
    what: 'Tools, the first letter of a filter',
    from: '/tools',
    ready: row(),
    ...filtering,
    input: { key: 'x' },
    shown: { selector: '[role="grid"][aria-rowcount="501"]' },
  },
  {
    id: 'tools-filter-more',
    what: 'Tools, another letter',
    from: '/tools?q=issue_10',
    ready: row('issue_10'),
    ...filtering,
    input: { key: '5' },
    shown: row('issue_105'),
  },
  {
    id: 'try-open',
    what: 'Tools, open one in Try it',
    from: `/tools?q=${tool}`,
    ready: row(tool),
    input: { click: `[role="grid"] a[href="${aTool}"]` },
    shown: { selector: 'main form button[type="submit"]' },
  },
  {
    id: 'try-run',
    what: 'Try it, run',
    from: aTool,
    ready: { selector: 'main form button[type="submit"]' },
    // The first time it only says that a field is empty.
    before: ['Control+Enter'],
    input: { key: 'Control+Enter' },
    shown: { selector: 'main', text: `${serverName(0)} did it` },
  },
  { id: 'profiles-open', what: 'Profiles, open', ...elsewhere, input: nav('/profiles'), shown: row() },
  {
    id: 'profile-open',
    what: 'Profiles, open one of 5,000 tools',
    from: '/profiles',
    ready: row(),
    input: { click: '[role="grid"] a[href="/profiles/all"]' },
    shown: row(toolName(0)),
  },
  {
    id: 'profile-server',
    what: "Profiles' editor, another server",
    from: '/profiles/all',
    ready: row(toolName(0)),
    input: { click: '[role="grid"][aria-label="Servers"] [data-index="4"] button' },
    shown: row(toolName(4 * TOOLS_EACH)),
  },
  {
    id: 'profile-choose',
    what: "Profiles' editor, leave a tool out",
    from: '/profiles/all',
    ready: row(toolName(0)),
    input: { click: 'section [role="grid"] [data-index="1"] input' },
    shown: { selector: '[role="grid"][aria-label="Servers"] [data-index="0"]', text: '24/25' },
  },
  {
    id: 'profile-preview',
    what: "Profiles' editor, preview",
    from: '/profiles/all',
    ready: row(toolName(0)),
    input: { click: 'main [role="radiogroup"] > :last-child, main [role="group"] > :last-child' },
    shown: { selector: '[role="grid"][aria-rowcount="5001"]' },
  },
  {
    id: 'profile-preview-filter',
    what: "Profiles' preview, a letter of a filter",
    from: '/profiles/all?view=preview',
    ready: { selector: '[role="grid"][aria-rowcount="5001"]' },
    ...filtering,
    input: { key: 'x' },
    shown: { selector: '[role="grid"][aria-rowcount="501"]' },
  },
  { id: 'activity-open', what: 'Activity, open', ...elsewhere, input: nav('/activity'), shown: row() },
  { id: 'activity-scroll', what: 'Activity, scroll', from: '/activity', ready: row(), input: scroll, shown: scrolled },
  {
    id: 'activity-older',
    what: 'Activity, load older',
    from: '/activity',
    ready: row(),
    input: { wheel: 10_000, over: '[role="grid"]' },
    shown: { selector: '[role="grid"][aria-rowcount="201"]' },
  },
  {
    id: 'activity-filter',
    what: 'Activity, filter by outcome',
    from: '/activity',
    ready: row(),
    before: ['/', 'Tab'],
    input: { key: 'e' },
    shown: failure,
  },
  {
    id: 'activity-search',
    what: 'Activity, a letter of a search',
    from: '/activity?q=number+9999',
    ready: row('refused number 99994'),
    ...filtering,
    input: { key: '4' },
    shown: { selector: '[role="grid"][aria-rowcount="2"]' },
  },
  {
    id: 'request-open',
    what: 'Activity, open a row',
    // Calls that were tried here are at the top of all.
    from: '/activity?client=client-3+1.0.0',
    ready: row(),
    input: { click: '[role="grid"] [data-index="2"] a' },
    shown: { selector: 'main', text: 'has nothing to say' },
  },
  {
    id: 'palette-open',
    what: 'Palette, open',
    from: '/',
    ready: { selector: 'main canvas' },
    input: { key: 'Control+k' },
    shown: palette,
  },
  {
    id: 'palette-letter',
    what: 'Palette, the first letter',
    from: '/tools',
    ready: row(),
    before: ['Control+k'],
    input: { key: 'i' },
    shown: { ...palette, text: 'issue' },
  },
]

export const openings: readonly Opening[] = [
  { id: 'load-overview', what: 'Overview', path: '/', shown: { selector: 'main canvas' } },
  { id: 'load-tools', what: 'Tools', path: '/tools', shown: row() },
  { id: 'load-try', what: 'Try it', path: aTool, shown: { selector: 'main form button[type="submit"]' } },
  { id: 'load-activity', what: 'Activity', path: '/activity', shown: row() },
  { id: 'load-search', what: 'Activity, a search', path: '/activity?q=number+9999', shown: row('number 9999') },
  { id: 'load-profile', what: 'Profile of 5,000 tools', path: '/profiles/all', shown: row(toolName(0)) },
]
