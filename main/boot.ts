import { randomBytes } from 'node:crypto'
import path from 'node:path'
import { BrowserWindow, Notification, app, clipboard, dialog, nativeTheme, safeStorage, session, shell } from 'electron'
import { exportResultSchema, problemSchema, signInStartedSchema, textIn, type Overview } from '../hub/contract/index.ts'
import { createFaultReports } from '../hub/observe/fault-reports.ts'
import { createRedactor } from '../hub/observe/redactor.ts'
import { reapLeftBehind } from '../hub/upstream/process/journal.ts'
import type { AppInfo } from '../preload/contract.ts'
import { handleAppProtocol } from './app-protocol.ts'
import { APP_URL, mayOpenOutside } from './app-url.ts'
import { readHubLine } from './hub/read-line.ts'
import { createHubSupervisor } from './hub/supervisor.ts'
import { compiledCodeOf } from './hub/compiled-code.ts'
import { forkHub } from './hub/utility-process.ts'
import { handleCommands, sendToPage } from './ipc.ts'
import { onAppFault, openLog, redactLog } from './log.ts'
import { setOpenAtLogin } from './login-item.ts'
import { openSecretBox } from './secret-box.ts'
import { openVault } from './secrets.ts'
import { hardenSession } from './security.ts'
import { openSettings } from './settings.ts'
import { createSignInNotices, type SignInNotice } from './sign-in-notices.ts'
import { clientSnippet } from './snippets.ts'
import { chooseLocale, fill, textsOf, type Texts } from './texts.ts'
import { trayModel, type TrayCommand } from './tray-menu.ts'
import { createTrayView } from './tray.ts'
import { createWindow, preloadFile } from './window.ts'
import { hasTrayHost } from './tray-host.ts'

const dist = path.dirname(import.meta.dirname)
/** So long a page that does not answer keeps the app from quitting. */
const UNANSWERED_MS = 3_000

/** Everything from `ready` on, in the order in which one part needs the other. */
export async function start(): Promise<void> {
  const userData = app.getPath('userData')
  const log = openLog(path.join(userData, 'logs'))
  const settings = openSettings(userData, (error) => log.warn('Settings', error))
  const vault = await openVault(userData, await openSecretBox(safeStorage, process.platform))
  const redactor = createRedactor([vault.clientToken])
  const knowSecrets = (): void => redactor.know('vault', Object.values(vault.secrets))
  knowSecrets()
  redactLog(redactor)
  const dsn = process.env['SENTRY_DSN']
  redactor.know('environment', dsn === undefined ? [] : [dsn])
  const reportFault = createFaultReports({
    dsn: () => dsn,
    release: app.getVersion(),
    part: 'app',
    redactor,
    env: process.env,
  })
  onAppFault((error) => void reportFault(error))
  if (vault.notice !== null) log.warn('Vault', vault.notice)
  const configDir = process.env['MCP_HUB_CONFIG_DIR'] ?? path.join(userData, 'config')
  const resources = app.isPackaged ? process.resourcesPath : path.join(dist, '..', 'resources')
  const dataDir = path.join(userData, 'data')
  const trayAvailable = await hasTrayHost()
  let window: BrowserWindow | null = null
  let pageReady = false
  let pendingPath: string | null = null
  let lastExport: string | null = null
  let quitting = false
  let ending = false
  let unanswered: NodeJS.Timeout | undefined
  let announced = ''
  const signInNotices = createSignInNotices()
  /** One that nobody refers to may be collected, and its click is lost. */
  const notifications = new Set<Notification>()

  const texts = (): Texts => textsOf(chooseLocale(settings.desktop.locale, app.getLocale()))
  nativeTheme.themeSource = settings.desktop.theme

  hardenSession(session.defaultSession)

  const compiledCode = compiledCodeOf(path.join(userData, 'compiled'), app.getVersion())
  const supervisor = createHubSupervisor({
    fork: () => forkHub(path.join(dist, 'hub', 'utility.js'), compiledCode),
    hello: () => ({
      bootToken: randomBytes(32).toString('base64url'),
      clientToken: vault.clientToken,
      paths: {
        configDir,
        dataDir,
        webDir: path.join(dist, 'renderer'),
        logDir: path.join(userData, 'logs'),
      },
      secrets: vault.secrets,
      vault: { quality: vault.quality, location: vault.location },
      appVersion: app.getVersion(),
    }),
    onState: (state) => {
      log.scope('hub').info('State', { state: state.state, crashes: state.crashes, lastExit: state.lastExit?.reason })
      if (window !== null && pageReady) sendToPage(window.webContents, 'hub.state', state)
      showTray()
    },
    onOverview: (overview) => {
      announce(overview)
      showTray()
      for (const notice of signInNotices(overview)) notifySignIn(notice)
    },
    onFaults: (faults) => log.scope('hub').error('Fatal configuration faults', faults),
    keepSecret: async (name, value) => {
      await vault.keep(name, value)
      knowSecrets()
    },
    redactor,
    onLine: (line) => {
      const { level, message, data } = readHubLine(line)
      if (data === null) log.scope('hub')[level](message)
      else log.scope('hub')[level](message, data)
    },
    reap: async () => {
      const count = await reapLeftBehind(dataDir).catch((error: unknown) => {
        log.error('What the hub left behind could not be ended', error)
        return 0
      })
      if (count > 0) log.warn('Ended what the hub left behind', { count })
    },
  })

  handleAppProtocol(session.defaultSession, {
    root: path.join(dist, 'renderer'),
    devServer: process.env['MCP_HUB_DEV_SERVER'] ?? null,
    hubApi: supervisor.started,
  })

  const tray = createTrayView({ images: path.join(resources, 'tray'), run: runTrayCommand })

  function showTray(): void {
    if (!quitting) tray.show(trayModel({ hub: supervisor.state, overview: supervisor.overview }, texts()))
  }

  /** For whoever started the app in a terminal. */
  function announce({ endpoint }: Overview): void {
    const what = endpoint.state === 'listening' ? endpoint.url : textIn(texts().said, endpoint, 'message')
    if (what === announced || what === null) return
    announced = what
    process.stdout.write(`${fill(texts().endpointLine, { what })}\nMCP Hub UI: ${APP_URL}\n`)
  }

  /** Somebody is needed, and may be elsewhere: whoever looks at the window sees it there. */
  function notifySignIn({ server, reason }: SignInNotice): void {
    if (window?.isFocused() === true || !Notification.isSupported()) return
    const notification = new Notification({
      title: fill(texts().signInTitle, { server }),
      body: reason === null ? texts().signInBody : textIn(texts().said, reason, 'message'),
    })
    notifications.add(notification)
    notification.on('click', () => void signIn(server))
    notification.on('close', () => notifications.delete(notification))
    notification.show()
  }

  /** Opens the sign-in page in the browser; where that cannot be, the server's page says why. */
  async function signIn(server: string): Promise<void> {
    try {
      const route = `/api/accounts/${encodeURIComponent(server)}/sign-in`
      const { authorizationUrl } = signInStartedSchema.parse(await callHub('POST', route, {}))
      if (!mayOpenOutside(authorizationUrl)) throw new Error('The address of the sign-in is none for a browser')
      await shell.openExternal(authorizationUrl)
    } catch (error) {
      log.error('The sign-in could not begin', error)
      openWindow(`/servers/${encodeURIComponent(server)}`)
    }
  }

  function openWindow(route?: string): void {
    if (window === null) {
      pageReady = false
      window = createWindow({
        settings,
        preload: preloadFile(dist),
        icon: path.join(resources, 'icon.png'),
        texts,
        // Where no tray shows the way back, closing ends the app, and its servers with it.
        onClose: () => {
          if (quitting || !settings.desktop.closeToTray) return 'close'
          return trayAvailable ? 'hide' : 'ask'
        },
        onQuestion: () => clearTimeout(unanswered),
        onStay: () => {
          quitting = false
          showTray()
        },
        onCrash: (reason) => {
          log.error('The page crashed', { reason })
          pageReady = false
        },
      })
      window.on('closed', () => {
        window = null
        if (quitting) end()
        else if (!(trayAvailable && settings.desktop.closeToTray)) app.quit()
      })
      pendingPath = route ?? null
      return
    }
    if (window.webContents.isCrashed()) window.webContents.reload()
    if (window.isMinimized()) window.restore()
    window.show()
    window.focus()
    if (route === undefined) return
    if (pageReady) sendToPage(window.webContents, 'navigate', { path: route })
    else pendingPath = route
  }

  function runTrayCommand(command: TrayCommand): void {
    if (command.type === 'open') openWindow(command.path)
    else if (command.type === 'quit') app.quit()
    else if (command.type === 'restart-hub') supervisor.restart()
    else if (command.type === 'sign-in') void signIn(command.name)
    else if (command.type === 'pause-hub') void supervisor.stop()
    else if (command.type === 'copy-endpoint') copyEndpoint(command.path)
    else
      void callHub('POST', `/api/servers/${encodeURIComponent(command.name)}/restart`).catch((error: unknown) =>
        log.error('Restart from the tray failed', error),
      )
  }

  function copyEndpoint(path?: string): void {
    const url = supervisor.overview?.endpoint.url
    if (url !== undefined) void copy(path === undefined ? url : new URL(path, url).href)
  }

  async function copy(text: string): Promise<void> {
    // Electron 44 made it asynchronous; a value can be awaited all the same.
    await Promise.resolve(clipboard.writeText(text))
  }

  async function callHub(method: string, route: string, body?: unknown): Promise<unknown> {
    const { api } = supervisor
    if (api === null) throw new Error(texts().hubNotRunning)
    const response = await fetch(`http://127.0.0.1:${api.port}${route}`, {
      method,
      headers: {
        authorization: `Bearer ${api.token}`,
        ...(body === undefined ? {} : { 'content-type': 'application/json' }),
      },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    })
    const answer: unknown = await response.json()
    if (response.ok) return answer
    const problem = problemSchema.safeParse(answer)
    throw new Error(
      problem.success
        ? [textIn(texts().said, problem.data, 'detail'), textIn(texts().said, problem.data, 'cure')]
            .filter(Boolean)
            .join(' ')
        : fill(texts().hubAnswered, { status: response.status }),
    )
  }

  async function chooseExportFolder(): Promise<string | null> {
    const preset = process.env['MCP_HUB_EXPORT_DIR']
    if (preset !== undefined && !app.isPackaged) return preset
    const options: Electron.OpenDialogOptions = {
      title: texts().exportTitle,
      buttonLabel: texts().exportButton,
      properties: ['openDirectory', 'createDirectory'],
    }
    const { canceled, filePaths } =
      window === null ? await dialog.showOpenDialog(options) : await dialog.showOpenDialog(window, options)
    return canceled ? null : (filePaths[0] ?? null)
  }

  handleCommands({
    'app.info': (): AppInfo => ({
      version: app.getVersion(),
      electron: process.versions.electron,
      chromium: process.versions.chrome,
      node: process.versions.node,
      platform: process.platform,
      locale: app.getLocale(),
      secretStore: vault.quality,
      vaultNotice: vault.notice,
      logFile: path.join(userData, 'logs', 'main.log'),
      trayAvailable,
    }),
    'hub.state': () => supervisor.state,
    'hub.restart': () => {
      supervisor.restart()
      return null
    },
    'settings.get': () => settings.desktop,
    'settings.set': async (change) => {
      const { desktop } = settings
      const clean = Object.fromEntries(Object.entries(change).filter(([, value]) => value !== undefined))
      const next = settings.setDesktop(clean)
      try {
        if (next.openAtLogin !== desktop.openAtLogin) await setOpenAtLogin(next.openAtLogin)
      } catch (error) {
        settings.setDesktop(desktop)
        throw error
      }
      nativeTheme.themeSource = next.theme
      showTray()
      if (window !== null && pageReady) sendToPage(window.webContents, 'settings.changed', next)
      return next
    },
    'endpoint.copy': async ({ kind, server }) => {
      const endpoint = supervisor.overview?.endpoint
      if (endpoint === undefined) throw new Error(texts().hubNotRunning)
      await copy(clientSnippet(kind, endpoint.url, vault.clientToken, server))
      return null
    },
    'publish.export': async ({ target }) => {
      const directory = await chooseExportFolder()
      if (directory === null) return { canceled: true }
      const result = exportResultSchema.parse(
        await callHub('POST', '/api/publish/export', { target, directory, overwrite: true }),
      )
      lastExport = result.directory
      return { canceled: false, ...result }
    },
    'path.reveal': ({ what }) => {
      const target = what === 'logs' ? path.join(userData, 'logs') : what === 'config' ? configDir : lastExport
      if (target !== null) void shell.openPath(target)
      return null
    },
    'page.ready': () => {
      pageReady = true
      if (window !== null) {
        sendToPage(window.webContents, 'hub.state', supervisor.state)
        if (pendingPath !== null) sendToPage(window.webContents, 'navigate', { path: pendingPath })
      }
      pendingPath = null
      return null
    },
    'page.error': ({ message, stack }) => {
      log.scope('page').error(message, stack)
      return null
    },
  })

  app.on('second-instance', () => openWindow())
  app.on('activate', () => openWindow())
  // The tray keeps the app alive without a window.
  app.on('window-all-closed', () => undefined)
  // The window goes first: its page may ask about edits that are not saved, and somebody may stay.
  app.on('before-quit', (event) => {
    if (ending) return
    event.preventDefault()
    if (quitting) return
    quitting = true
    if (window === null) {
      end()
      return
    }
    unanswered = setTimeout(end, UNANSWERED_MS)
    window.close()
  })
  function end(): void {
    if (ending) return
    quitting = true
    ending = true
    // Quitting feels immediate; the hub ends its servers meanwhile.
    for (const open of BrowserWindow.getAllWindows()) open.destroy()
    void supervisor.stop().finally(() => {
      tray.dispose()
      app.exit(0)
    })
  }
  // Whoever sends one waits for no answer.
  for (const signal of ['SIGTERM', 'SIGINT', 'SIGHUP'] as const) process.on(signal, end)
  // Development: the hub was built anew.
  process.on('SIGUSR2', () => supervisor.restart())

  supervisor.start()
  showTray()
  if (!process.argv.includes('--hidden') || !trayAvailable) openWindow()
}
