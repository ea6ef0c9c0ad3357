import { StringDecoder } from 'node:string_decoder'
import { MessageChannelMain, app, utilityProcess, type Details, type MessagePortMain } from 'electron'
import type { HubProcess } from './supervisor.ts'

let counter = 0

/**
 * A small young generation, which halves the memory under load, and full collections only when there is something to collect
 * (docs/performance.md). V8 reads them when it makes its heap, so setting them inside the process is too late; a utility
 * process takes V8's flags only in this form.
 */
const HEAP_FLAGS = '--js-flags=--max-old-space-size=512 --max-semi-space-size=8 --initial-old-space-size=64 --expose-gc'

/**
 * Forks the hub as Electron's utility process. Its name is unique, so that Electron's word on how it ended finds it.
 * @param compiled folder in which Node keeps the hub's compiled code for the next start
 */
export function forkHub(entry: string, compiled: string): HubProcess {
  const serviceName = `mcp-hub-${++counter}`
  const env = { ...process.env, NODE_COMPILE_CACHE: compiled }
  const child = utilityProcess.fork(entry, [], { serviceName, stdio: 'pipe', execArgv: [HEAP_FLAGS], env })
  let port: MessagePortMain | null = null
  let gone: Details['reason'] | null = null
  const messageListeners: ((message: unknown) => void)[] = []

  const onGone = (_event: unknown, details: Details): void => {
    if (details.name === serviceName || details.serviceName === serviceName) gone = details.reason
  }
  app.on('child-process-gone', onGone)

  return {
    get pid() {
      return child.pid
    },
    hello: (message) => {
      child.once('spawn', () => {
        const { port1, port2 } = new MessageChannelMain()
        port = port1
        port1.on('message', ({ data }) => {
          for (const listener of messageListeners) listener(data)
        })
        port1.start()
        child.postMessage(message, [port2])
      })
    },
    send: (message) => port?.postMessage(message),
    kill: () => {
      // kill() asks; a hub that hangs does not hear.
      if (child.pid !== undefined) process.kill(child.pid, 'SIGKILL')
    },
    onMessage: (listener) => messageListeners.push(listener),
    onLine: (listener) => {
      for (const stream of [child.stdout, child.stderr]) {
        const decoder = new StringDecoder('utf8')
        let rest = ''
        stream?.on('data', (chunk: Buffer) => {
          const parts = (rest + decoder.write(chunk)).split('\n')
          rest = parts.pop() ?? ''
          for (const part of parts) if (part !== '') listener(part)
        })
      }
    },
    onExit: (listener) => {
      child.once('exit', (code) => {
        port?.close()
        // `child-process-gone` comes with the reason, a moment before or after.
        setTimeout(() => {
          app.off('child-process-gone', onGone)
          listener(code, gone ?? 'exited')
        }, 50)
      })
    },
  }
}
