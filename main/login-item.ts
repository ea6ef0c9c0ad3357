import { mkdir, rm, writeFile } from 'node:fs/promises'
import { homedir } from 'node:os'
import path from 'node:path'
import { app } from 'electron'

/** The XDG autostart entry; Linux has no other way to start with the session. */
export function autostartEntry(executable: string): string {
  const quoted = `"${executable.replace(/(["\\`$])/g, '\\$1').replaceAll('%', '%%')}"`
  return [
    '[Desktop Entry]',
    'Type=Application',
    'Name=MCP Hub',
    `Exec=${quoted} --hidden`,
    'Terminal=false',
    'X-GNOME-Autostart-enabled=true',
    '',
  ].join('\n')
}

/** Starts the app with the user's session, hidden in the tray, or no longer. */
export async function setOpenAtLogin(open: boolean): Promise<void> {
  if (process.platform !== 'linux') {
    app.setLoginItemSettings({ openAtLogin: open, args: ['--hidden'] })
    return
  }
  const folder = path.join(process.env['XDG_CONFIG_HOME'] ?? path.join(homedir(), '.config'), 'autostart')
  const file = path.join(folder, 'mcp-hub.desktop')
  if (!open) {
    await rm(file, { force: true })
    return
  }
  await mkdir(folder, { recursive: true })
  // An AppImage runs from a mount that is gone at the next start.
  await writeFile(file, autostartEntry(process.env['APPIMAGE'] ?? process.execPath))
}
