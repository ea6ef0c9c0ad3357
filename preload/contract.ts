import { z } from 'zod'

/** `exited` tells no more than the code; `not-ready` and `silent` are ended by main; the others are Electron's. */
export const exitReasons = [
  'exited',
  'not-ready',
  'silent',
  'clean-exit',
  'abnormal-exit',
  'killed',
  'crashed',
  'oom',
  'launch-failed',
  'integrity-failure',
  'memory-eviction',
] as const
export type ExitReason = (typeof exitReasons)[number]

/** State of the hub process as main sees it, also when the hub itself cannot answer. */
export interface HubProcessState {
  state: 'starting' | 'running' | 'backoff' | 'stopped' | 'failed'
  /** Crashes in the last two minutes. */
  crashes: number
  /** Milliseconds since the epoch of the next start, in state `backoff`. */
  nextStartAt: number | null
  /** Why it ended last, with the last lines that it wrote. */
  lastExit: { code: number | null; reason: ExitReason; lines: string[] } | null
}

export const desktopSettingsSchema = z.strictObject({
  theme: z.enum(['light', 'dark', 'system']),
  locale: z.enum(['system', 'en', 'zh-CN']),
  /** Closing the window keeps the hub in the tray. */
  closeToTray: z.boolean(),
  openAtLogin: z.boolean(),
})
export type DesktopSettings = z.infer<typeof desktopSettingsSchema>

export interface AppInfo {
  version: string
  electron: string
  chromium: string
  node: string
  platform: string
  locale: string
  /** How secrets are kept: by the operating system's keychain, or in a file that only this user can read. */
  secretStore: 'os' | 'file'
  /** A vault that could not be used at this start, and the file that holds it. */
  vaultNotice:
    { code: 'sealed-away' | 'unreadable'; file: string } | { code: 'unavailable'; file: string; cause: string } | null
  logFile: string
  trayAvailable: boolean
}

/** Clients for which the app can write a ready-made configuration, token included, to the clipboard. */
export const snippetKinds = ['url', 'token', 'json', 'claude-code', 'vscode', 'cursor'] as const

/** The IPC command table: one gate in main checks the sender, the name and the input of each call. */
export const commands = {
  'app.info': z.void(),
  'hub.state': z.void(),
  'hub.restart': z.void(),
  'settings.get': z.void(),
  'settings.set': desktopSettingsSchema.partial(),
  /** The token itself never enters the page: main puts it on the clipboard. */
  'endpoint.copy': z.strictObject({ kind: z.enum(snippetKinds), server: z.string().optional() }),
  /** Asks for a folder, then has the hub write the bundle there. */
  'publish.export': z.strictObject({ target: z.unknown() }),
  'path.reveal': z.strictObject({ what: z.enum(['logs', 'config', 'last-export']) }),
  /** The page is ready: messages that waited for it are sent now. */
  'page.ready': z.void(),
  'page.error': z.strictObject({ message: z.string().max(10_000), stack: z.string().max(50_000).optional() }),
} satisfies Record<string, z.ZodType>

export type CommandName = keyof typeof commands
export type CommandInput<N extends CommandName> = z.input<(typeof commands)[N]>

export interface CommandOutput {
  'app.info': AppInfo
  'hub.state': HubProcessState
  'hub.restart': null
  'settings.get': DesktopSettings
  'settings.set': DesktopSettings
  'endpoint.copy': null
  'publish.export': { canceled: true } | { canceled: false; directory: string; files: number; bytes: number }
  'path.reveal': null
  'page.ready': null
  'page.error': null
}

/** Electron flattens thrown errors to text, so a refusal is a value. */
export type CommandResult<T> = { ok: true; value: T } | { ok: false; error: { code: string; message: string } }

/** What main sends to the page unasked. */
export interface DesktopMessages {
  'hub.state': HubProcessState
  'settings.changed': DesktopSettings
  /** A route of the renderer to show, e.g. from the tray: `/publish`. */
  navigate: { path: string }
}

/** `window.desktop`, present only in the app. */
export interface DesktopBridge {
  invoke: <N extends CommandName>(
    name: N,
    ...input: CommandInput<N> extends undefined ? [] : [CommandInput<N>]
  ) => Promise<CommandResult<CommandOutput[N]>>
  on: <K extends keyof DesktopMessages>(name: K, listener: (message: DesktopMessages[K]) => void) => () => void
}
