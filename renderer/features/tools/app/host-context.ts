import type { McpUiHostContext, McpUiStyles, McpUiStyleVariableKey } from '@modelcontextprotocol/ext-apps/app-bridge'
import { MAX_HEIGHT } from './app-limits.ts'

/** Our tokens (`styles.css`) under the names that the specification has for them. */
const VARIABLES: Partial<Record<McpUiStyleVariableKey, string>> = {
  '--color-background-primary': '--canvas',
  '--color-background-secondary': '--subtle',
  '--color-background-tertiary': '--hover',
  '--color-background-inverse': '--fg',
  '--color-background-info': '--accent-soft',
  '--color-background-danger': '--bad-soft',
  '--color-background-success': '--ok-soft',
  '--color-background-warning': '--warn-soft',
  '--color-text-primary': '--fg',
  '--color-text-secondary': '--fg-muted',
  '--color-text-tertiary': '--fg-faint',
  '--color-text-inverse': '--canvas',
  '--color-text-info': '--accent-text',
  '--color-text-danger': '--bad',
  '--color-text-success': '--ok',
  '--color-text-warning': '--warn',
  '--color-border-primary': '--line-control',
  '--color-border-secondary': '--line',
  '--color-ring-primary': '--accent-text',
}

/** What an app is told of where it is shown. */
export function hostContext(options: {
  dark: boolean
  locale: string
  desktop: boolean
  /** A token of the page, by its name. */
  token: (name: string) => string
  font: string
  /** The size of its frame while it fills the window. */
  filling: { readonly width: number; readonly height: number } | null
}): McpUiHostContext {
  const variables = Object.fromEntries(
    Object.entries(VARIABLES).map(([name, token]) => [name, ofTheme(options.token(token), options.dark)]),
  )
  return {
    theme: options.dark ? 'dark' : 'light',
    styles: { variables: { ...variables, '--font-sans': options.font } as McpUiStyles },
    locale: options.locale,
    timeZone: Intl.DateTimeFormat().resolvedOptions().timeZone,
    displayMode: options.filling === null ? 'inline' : 'fullscreen',
    availableDisplayModes: ['inline', 'fullscreen'],
    containerDimensions: options.filling ?? { maxHeight: MAX_HEIGHT },
    platform: options.desktop ? 'desktop' : 'web',
    userAgent: 'mcp-hub',
  }
}

/** Of `light-dark(a, b)` the one: an app need not have a `color-scheme`. */
function ofTheme(token: string, dark: boolean): string {
  const [, light, other] = /^light-dark\(([^,]+),\s*(.+)\)$/.exec(token.trim()) ?? []
  return (dark ? other : light) ?? token.trim()
}
