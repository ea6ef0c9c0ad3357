import { contextBridge, ipcRenderer } from 'electron'
import type { DesktopBridge } from './contract.ts'

const listeners = new Map<string, Set<(message: never) => void>>()

ipcRenderer.on('message', (_event, name: string, message: unknown) => {
  for (const listener of listeners.get(name) ?? []) listener(message as never)
})

const bridge: DesktopBridge = {
  invoke: (name, ...input) => ipcRenderer.invoke('command', name, input[0]),
  on: (name, listener) => {
    const set = listeners.get(name) ?? new Set()
    listeners.set(name, set)
    set.add(listener)
    return () => set.delete(listener)
  },
}

contextBridge.exposeInMainWorld('desktop', bridge)
