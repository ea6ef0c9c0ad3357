/// <reference types="vite/client" />
import type { DesktopBridge } from '../preload/contract.ts'

declare global {
  interface Window {
    /** Present only in the desktop app. */
    readonly desktop?: DesktopBridge
  }
}
