import path from 'node:path'
import { APP_FRAME_PATH } from '../hub/contract/app-frame.ts'
import { isPagePath } from '../hub/contract/page-path.ts'

export const APP_SCHEME = 'app'
export const APP_HOST = 'hub'
export const APP_URL = `${APP_SCHEME}://${APP_HOST}/`
const OPENED_OUTSIDE = new Set(['https:', 'http:', 'mailto:'])

/** True for URLs of our page. `origin` is the text "null" for schemes of one's own, so protocol and host are compared. */
export function isAppUrl(text: string): boolean {
  try {
    const url = new URL(text)
    return url.protocol === `${APP_SCHEME}:` && url.host === APP_HOST
  } catch {
    return false
  }
}

/** True for the document in which the app of a server runs: the only one that a frame of our page may show. */
export function isAppFrameUrl(text: string): boolean {
  return isAppUrl(text) && new URL(text).pathname === APP_FRAME_PATH
}

/** The file that a path of the page names; `index.html` for a route. Null when it leads out of the folder. */
export function resolveAsset(root: string, pathname: string): string | null {
  let decoded: string
  try {
    decoded = decodeURIComponent(pathname)
  } catch {
    return null
  }
  if (decoded.includes('\0') || decoded.includes('\\')) return null
  const file = path.resolve(root, `.${path.posix.normalize(`/${decoded}`)}`)
  if (decoded.split('/').includes('..') || (file !== root && !file.startsWith(root + path.sep))) return null
  return isPagePath(decoded) ? path.join(root, 'index.html') : file
}

/** Whether a link may be handed to the system: schemes that start programs may not. */
export function mayOpenOutside(url: string): boolean {
  return URL.canParse(url) && OPENED_OUTSIDE.has(new URL(url).protocol)
}
