import { textIn, type Overview, type ServerState } from '../hub/contract/index.ts'
import type { HubProcessState } from '../preload/contract.ts'
import { fill, type Texts } from './texts.ts'

export type TrayIcon = 'ok' | 'working' | 'degraded' | 'down'

export type TrayCommand =
  | { type: 'open'; path?: string }
  | { type: 'quit' }
  /** Of a profile where it has a path, else of the hub. */
  | { type: 'copy-endpoint'; path?: string }
  | { type: 'restart-hub' }
  /** Until it is resumed, or the app started anew: it ends with its servers. */
  | { type: 'pause-hub' }
  | { type: 'restart-server'; name: string }
  | { type: 'sign-in'; name: string }

export interface TrayItem {
  id: string
  label: string
  enabled: boolean
  command?: TrayCommand
  items?: TrayItem[]
}

export interface TrayModel {
  icon: TrayIcon
  tooltip: string
  /** Null is a separator. */
  items: (TrayItem | null)[]
}

export interface TrayState {
  hub: HubProcessState
  /** Null until the hub has spoken. */
  overview: Overview | null
}

const BROKEN: readonly ServerState[] = ['failed', 'needs-auth', 'backoff', 'degraded']
const WORKING: readonly ServerState[] = ['starting', 'stopping']
const MAX_REASON = 80

/** What the tray shows, from what is known: a pure function, rendered by tray.ts. */
export function trayModel(state: TrayState, texts: Texts): TrayModel {
  const servers = state.overview?.servers ?? []
  const wanted = servers.filter((server) => server.state !== 'disabled')
  const running = wanted.filter((server) => server.state === 'running' || server.state === 'idle')
  const broken = wanted.filter((server) => BROKEN.includes(server.state))
  const others = servers.filter((server) => !broken.includes(server))
  const up = state.hub.state === 'running'
  const line = !up
    ? texts.hub[state.hub.state]
    : wanted.length === 0
      ? texts.noServers
      : fill(texts.running, { running: running.length, total: wanted.length })
  const endpoint = state.overview?.endpoint
  const profiles = state.overview?.profiles ?? []
  const items: (TrayItem | null)[] = [{ id: 'state', label: line, enabled: false }]
  if (up && endpoint?.state === 'port-in-use')
    items.push({
      id: 'port',
      label: fill(endpoint.takenBy === null ? texts.portTaken : texts.portInUse, {
        port: endpoint.port,
        by: endpoint.takenBy ?? '',
      }),
      enabled: true,
      command: { type: 'open', path: '/settings' },
    })
  const signIns = state.overview?.signIns ?? []
  if (up)
    for (const name of signIns)
      items.push({
        id: `sign-in:${name}`,
        label: fill(texts.signInAgain, { server: name }),
        enabled: true,
        command: { type: 'sign-in', name },
      })
  if (state.hub.state === 'failed' || state.hub.state === 'backoff' || state.hub.state === 'stopped')
    items.push({
      id: 'restart-hub',
      label: state.hub.state === 'stopped' ? texts.resumeHub : texts.restartHub,
      enabled: true,
      command: { type: 'restart-hub' },
    })
  if (up && broken.length > 0) {
    items.push(null)
    for (const server of broken) {
      items.push({
        id: `server:${server.name}`,
        label: `${server.name}: ${texts.state[server.state]}`,
        enabled: true,
        items: [
          ...(server.reason === null
            ? []
            : [
                {
                  id: `reason:${server.name}`,
                  label: shorten(textIn(texts.said, server.reason, 'message')),
                  enabled: false,
                },
              ]),
          {
            id: `restart:${server.name}`,
            label: texts.restart,
            enabled: true,
            command: { type: 'restart-server', name: server.name },
          },
          {
            id: `logs:${server.name}`,
            label: texts.logs,
            enabled: true,
            command: { type: 'open', path: `/servers/${encodeURIComponent(server.name)}/logs` },
          },
        ],
      })
    }
  }
  if (up && others.length > 0) {
    items.push(null, {
      id: 'servers',
      label: texts.servers,
      enabled: true,
      items: others.map((server) => ({
        id: `server:${server.name}`,
        label: `${server.name}: ${texts.state[server.state]}`,
        enabled: true,
        items: [
          {
            id: `restart:${server.name}`,
            label: texts.restart,
            enabled: server.state !== 'disabled',
            command: { type: 'restart-server', name: server.name },
          },
          {
            id: `show:${server.name}`,
            label: texts.show,
            enabled: true,
            command: { type: 'open', path: `/servers/${encodeURIComponent(server.name)}` },
          },
        ],
      })),
    })
  }
  items.push(
    null,
    {
      id: 'copy',
      label: texts.copyEndpoint,
      enabled: endpoint?.state === 'listening',
      command: { type: 'copy-endpoint' },
    },
    ...(up && endpoint?.state === 'listening' && profiles.length > 0 ? [profilesItem(profiles, texts)] : []),
    { id: 'open', label: texts.open, enabled: true, command: { type: 'open' } },
    { id: 'publish', label: texts.publish, enabled: up, command: { type: 'open', path: '/publish' } },
    null,
    ...(up ? [{ id: 'pause-hub', label: texts.pauseHub, enabled: true, command: { type: 'pause-hub' } } as const] : []),
    { id: 'quit', label: texts.quit, enabled: true, command: { type: 'quit' } },
  )
  return {
    icon: iconOf(
      state,
      broken.length + signIns.length,
      wanted.some((server) => WORKING.includes(server.state)),
    ),
    tooltip: `MCP Hub: ${line}`,
    items,
  }
}

function profilesItem(profiles: Overview['profiles'], texts: Texts): TrayItem {
  return {
    id: 'profiles',
    label: texts.profiles,
    enabled: true,
    items: profiles.map(({ name, endpointPath }) => ({
      id: `copy:${name}`,
      label: fill(texts.copyProfile, { profile: name }),
      enabled: true,
      command: { type: 'copy-endpoint', path: endpointPath },
    })),
  }
}

function iconOf(state: TrayState, broken: number, working: boolean): TrayIcon {
  if (state.hub.state === 'failed' || state.hub.state === 'stopped') return 'down'
  if (state.hub.state !== 'running') return 'working'
  if (broken > 0 || state.overview?.endpoint.state === 'port-in-use' || (state.overview?.configFaults ?? 0) > 0)
    return 'degraded'
  return working ? 'working' : 'ok'
}

function shorten(text: string): string {
  return text.length <= MAX_REASON ? text : `${text.slice(0, MAX_REASON - 1)}…`
}
