import path from 'node:path'
import { BrowserWindow, dialog, nativeTheme, screen } from 'electron'
import { APP_URL } from './app-url.ts'
import { createReloadLimit } from './page-crashes.ts'
import { hardenContents } from './security.ts'
import type { Settings, WindowBounds } from './settings-file.ts'
import type { Texts } from './texts.ts'
import { clampBounds } from './window-bounds.ts'

const DEFAULT_SIZE = { width: 1_200, height: 800 }
const MINIMUM = { width: 640, height: 480 }

export interface WindowOptions {
  settings: Settings
  preload: string
  icon: string
  /** Decides what closing means: the window is only hidden, is gone, or somebody is asked whether the app may end with it. */
  onClose: () => 'hide' | 'close' | 'ask'
  /** Before somebody is asked about edits that are not saved; `onStay` when they keep the window. */
  onQuestion: () => void
  onStay: () => void
  /** The page crashed, for which Chromium's word is `reason`; where it may, it is loaded again. */
  onCrash: (reason: string) => void
  texts: () => Texts
}

/** The one window. It is made anew when it was closed. */
export function createWindow(options: WindowOptions): BrowserWindow {
  const stored = options.settings.bounds
  const bounds =
    stored === null
      ? null
      : clampBounds(
          stored,
          screen.getAllDisplays().map((display) => display.workArea),
        )
  const window = new BrowserWindow({
    ...DEFAULT_SIZE,
    ...(bounds ?? {}),
    minWidth: MINIMUM.width,
    minHeight: MINIMUM.height,
    show: false,
    title: 'MCP Hub',
    icon: options.icon,
    backgroundColor: nativeTheme.shouldUseDarkColors ? '#101113' : '#ffffff',
    autoHideMenuBar: true,
    webPreferences: {
      preload: options.preload,
      sandbox: true,
      contextIsolation: true,
      nodeIntegration: false,
      webviewTag: false,
      spellcheck: false,
    },
  })
  hardenContents(window.webContents)
  if (stored?.maximized === true) window.maximize()
  window.once('ready-to-show', () => window.show())
  const remember = (): void => {
    const normal = window.getNormalBounds()
    const next: WindowBounds = {
      x: normal.x,
      y: normal.y,
      width: normal.width,
      height: normal.height,
      maximized: window.isMaximized(),
    }
    options.settings.setBounds(next)
  }
  window.on('close', (event) => {
    remember()
    const what = options.onClose()
    if (what === 'hide') window.hide()
    if (what === 'hide' || (what === 'ask' && !agreed(window, options.texts().closing))) event.preventDefault()
  })
  // A page with edits that are not saved: Electron asks nobody by itself, and the window would just stay.
  window.webContents.on('will-prevent-unload', (event) => {
    options.onQuestion()
    // It may be hidden in the tray.
    window.show()
    if (agreed(window, options.texts().unsaved)) event.preventDefault()
    else options.onStay()
  })
  // What shows a crashed page stays white for ever, also when it is hidden and shown again.
  const mayReload = createReloadLimit()
  window.webContents.on('render-process-gone', (_event, { reason }) => {
    if (reason === 'clean-exit') return
    options.onCrash(reason)
    if (!mayReload()) return
    // Electron itself ends where a page is loaded while it still tells of the one that is gone.
    setImmediate(() => {
      if (!window.isDestroyed()) window.webContents.reload()
    })
  })
  void window.loadURL(APP_URL)
  return window
}

function agreed(window: BrowserWindow, { question, leave, stay }: Texts['unsaved']): boolean {
  const buttons = [leave, stay]
  const answer = dialog.showMessageBoxSync(window, {
    type: 'question',
    message: question,
    buttons,
    defaultId: 1,
    cancelId: 1,
    noLink: true,
  })
  return answer === 0
}

export const preloadFile = (dist: string): string => path.join(dist, 'preload', 'preload.cjs')
