import { shell, type Session, type WebContents, type WebFrameMain } from 'electron'
import { isAppFrameUrl, isAppUrl, mayOpenOutside } from './app-url.ts'

const ALLOWED_PERMISSIONS = new Set(['clipboard-sanitized-write', 'notifications'])

/** What the page may ask the browser for: the clipboard to write on and notifications, and only from our own main frame. */
export function hardenSession(session: Session): void {
  session.setPermissionRequestHandler((_contents, permission, callback, details) => {
    callback(details.isMainFrame && isAppUrl(details.requestingUrl) && ALLOWED_PERMISSIONS.has(permission))
  })
  session.setPermissionCheckHandler(
    (_contents, permission, origin) => isAppUrl(origin) && ALLOWED_PERMISSIONS.has(permission),
  )
}

/** The window shows our page and nothing else; other addresses open in the user's browser. */
export function hardenContents(contents: WebContents): void {
  contents.on('will-navigate', (event) => {
    if (!isAppUrl(event.url)) event.preventDefault()
  })
  contents.on('will-frame-navigate', (event) => {
    if (!event.isMainFrame && !isAppFrameUrl(event.url) && !isFramedByApp(event)) event.preventDefault()
  })
  contents.on('will-redirect', (event) => {
    if (!isAppUrl(event.url) && !isFramedByApp(event)) event.preventDefault()
  })
  contents.on('will-attach-webview', (event) => event.preventDefault())
  contents.setWindowOpenHandler(({ url }) => {
    if (mayOpenOutside(url)) void shell.openExternal(url)
    return { action: 'deny' }
  })
}

/** What the app of a server frames in its own frame: an https page, which that frame's policy has let through or refuses. */
function isFramedByApp({ url, frame }: { url: string; frame: WebFrameMain | null }): boolean {
  // A frame of the page itself has the page as its parent, which has none.
  return URL.parse(url)?.protocol === 'https:' && (frame?.parent?.parent ?? null) !== null
}
