/** Names that more than one object uses. */
export const names = {
  namespace: 'mcp-hub',
  hub: 'mcp-hub',
  web: 'mcp-hub-web',
  /** Answers with the addresses of all hubs that are ready. */
  hubs: 'mcp-hub-hubs',
  account: 'mcp-hub',
  /** Made by a person from `.env`; its one key is the file. */
  environment: 'mcp-hub-env',
  environmentKey: 'hub_env',
  published: 'mcp-hub-config',
  site: 'mcp-hub-site',
  state: 'mcp-hub-state',
  backups: 'mcp-hub-backups',
  backup: 'mcp-hub-backup',
} as const

export const HUB_PORT = 3000
export const WEB_PORT = 8080
export const HUB_USER = 1000
export const WEB_USER = 101

export type Component = 'hub' | 'web' | 'backup'

/** On all our pods, and on no other. */
export const ours = { 'app.kubernetes.io/name': 'mcp-hub' }

/** What selects the pods of a part; a selector can never be changed, so nothing that changes is in it. */
export function labels(component: Component): Record<string, string> {
  return { ...ours, 'app.kubernetes.io/component': component }
}
