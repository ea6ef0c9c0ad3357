/// <reference types="vite/client" />
import type { DesktopBridge } from '../preload/contract.ts'

declare global {
  interface Window {
    /** Present only in the desktop app. */
    readonly desktop?: DesktopBridge
  }
}

declare module '*.vue' {
  import type { DefineComponent } from 'vue'
  const component: DefineComponent
  export default component
}
