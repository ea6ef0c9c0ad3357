import path from 'node:path'
import { Menu, Tray, nativeImage, type MenuItemConstructorOptions, type NativeImage } from 'electron'
import type { TrayCommand, TrayIcon, TrayItem, TrayModel } from './tray-menu.ts'

const RENDER_DELAY_MS = 250

export interface TrayOptions {
  /** Folder of the tray's images. */
  images: string
  run: (command: TrayCommand) => void
  createTray?: (image: NativeImage) => Tray
}

export interface TrayView {
  /** Shows a model; changes that come close together are shown once. */
  show: (model: TrayModel) => void
  dispose: () => void
}

/** One tray icon for the life of the app: one listener, and a new image only when the state changes. */
export function createTrayView(options: TrayOptions): TrayView {
  let tray: Tray | null = null
  let icon: TrayIcon | null = null
  let next: TrayModel | null = null
  let timer: NodeJS.Timeout | null = null
  const images = new Map<TrayIcon, NativeImage>()

  function imageOf(name: TrayIcon): NativeImage {
    const known = images.get(name)
    if (known !== undefined) return known
    const file =
      process.platform === 'darwin'
        ? `${name}Template.png`
        : process.platform === 'win32'
          ? `${name}.ico`
          : `${name}.png`
    const image = nativeImage.createFromPath(path.join(options.images, file))
    if (process.platform === 'darwin') image.setTemplateImage(true)
    images.set(name, image)
    return image
  }

  function template(item: TrayItem | null): MenuItemConstructorOptions {
    if (item === null) return { type: 'separator' }
    const { command } = item
    return {
      label: item.label.replaceAll('&', '&&'),
      enabled: item.enabled,
      ...(item.items === undefined ? {} : { submenu: item.items.map(template) }),
      ...(command === undefined ? {} : { click: () => options.run(command) }),
    }
  }

  function render(): void {
    timer = null
    const model = next
    if (model === null) return
    if (tray === null) {
      tray = options.createTray?.(imageOf(model.icon)) ?? new Tray(imageOf(model.icon))
      icon = model.icon
      tray.on('click', () => options.run({ type: 'open' }))
    } else if (icon !== model.icon) {
      tray.setImage(imageOf(model.icon))
      icon = model.icon
    }
    tray.setToolTip(model.tooltip)
    // Linux shows a changed menu only when it is set anew.
    tray.setContextMenu(Menu.buildFromTemplate(model.items.map(template)))
  }

  return {
    show: (model) => {
      const first = next === null
      next = model
      if (first) render()
      else timer ??= setTimeout(render, RENDER_DELAY_MS)
    },
    dispose: () => {
      if (timer !== null) clearTimeout(timer)
      tray?.destroy()
      tray = null
    },
  }
}
