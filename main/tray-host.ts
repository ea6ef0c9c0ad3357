import { execFile } from 'node:child_process'

/**
 * Whether something shows tray icons. On Linux that is a StatusNotifierWatcher on the session bus, which GNOME lacks
 * without an extension; there, a window that closes to the tray would be gone for good.
 */
export function hasTrayHost(): Promise<boolean> {
  if (process.platform !== 'linux') return Promise.resolve(true)
  if (!process.env['DBUS_SESSION_BUS_ADDRESS']) return Promise.resolve(false)
  const args = [
    '--session',
    '--print-reply',
    '--dest=org.freedesktop.DBus',
    '/org/freedesktop/DBus',
    'org.freedesktop.DBus.NameHasOwner',
    'string:org.kde.StatusNotifierWatcher',
  ]
  return new Promise((resolve) => {
    execFile('dbus-send', args, { timeout: 1_000 }, (error, stdout) =>
      resolve(error === null && stdout.includes('boolean true')),
    )
  })
}
