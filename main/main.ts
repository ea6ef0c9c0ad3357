import { app, dialog, protocol } from 'electron'
import log from 'electron-log/main.js'
import { start } from './boot.ts'
import { schemePrivileges } from './app-protocol.ts'
import { APP_SCHEME } from './app-url.ts'
import { failedStart } from './texts.ts'

// What must be settled before Electron is ready, in this order. Nothing here may wait: an `await` of whenReady at the top
// level of an ES module entry never returns (electron/electron#40719).
app.setName('MCP Hub')
app.setAppUserModelId('dev.mcphub.desktop')
protocol.registerSchemesAsPrivileged([{ scheme: APP_SCHEME, privileges: schemePrivileges }])

if (!app.requestSingleInstanceLock()) {
  // app.quit() is asynchronous and would flash a window of the second instance.
  process.stdout.write('MCP Hub runs already; its window was brought to the front.\n')
  process.exit(0)
}
// Together with --no-sandbox (root in a container) it would keep the helper processes from starting at all.
if (!app.commandLine.hasSwitch('no-sandbox')) app.enableSandbox()

void app
  .whenReady()
  .then(start)
  .catch((error: unknown) => {
    log.error('The app cannot start', error)
    const { title, text } = failedStart(error, app.getPath('userData'), app.getLocale())
    dialog.showErrorBox(title, text)
    // Without a window and a tray it would only keep the next start away.
    app.exit(1)
  })
