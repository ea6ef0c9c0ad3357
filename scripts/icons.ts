import { mkdirSync, writeFileSync } from 'node:fs'
import path from 'node:path'
import {
  type Colour,
  disc,
  type Layer,
  line,
  render,
  roundedSquare,
  type Shape,
  triangle,
  union,
} from './lib/drawing.ts'
import { root } from './lib/paths.mjs'
import { encodeIco, encodePng } from './lib/png.ts'

/** Draws resources/icon.png, icon.ico and the tray images: a hub in the middle, connected to four others. */
const WHITE: Colour = [255, 255, 255]
const BLACK: Colour = [0, 0, 0]

function tile(x: number, y: number): Colour {
  const at = (x + y) / 2
  return [79 + (14 - 79) * at, 70 + (116 - 70) * at, 229 + (200 - 229) * at]
}

/** `reach`: how far the outer nodes are from the middle. Small pictures need thicker strokes. */
function glyph(reach: number, stroke: number, node: number, core: number): Shape {
  const outer = [45, 135, 225, 315].map((degrees) => {
    const angle = (degrees * Math.PI) / 180
    return [0.5 + reach * Math.cos(angle), 0.5 + reach * Math.sin(angle)] as const
  })
  return union(disc(0.5, 0.5, core), ...outer.flatMap(([x, y]) => [line(0.5, 0.5, x, y, stroke), disc(x, y, node)]))
}

const appIcon: readonly Layer[] = [
  { shape: roundedSquare(0.06, 0.2), fill: tile },
  { shape: glyph(0.29, 0.05, 0.075, 0.125), fill: WHITE },
]

/** The state's badge: a shape of its own each, since colour alone says nothing to some, and nothing on macOS. */
const [BX, BY, BR] = [0.74, 0.74, 0.25]
const badges: Record<
  'ok' | 'working' | 'degraded' | 'down',
  { shape: Shape; mark: Shape | null; colour: Colour } | null
> = {
  ok: null,
  working: { shape: disc(BX, BY, BR), mark: disc(BX, BY, 0.11), colour: [37, 99, 235] },
  degraded: { shape: triangle(BX, BY + 0.06, BR + 0.05), mark: null, colour: [245, 158, 11] },
  down: {
    shape: disc(BX, BY, BR),
    mark: union(line(BX - 0.1, BY - 0.1, BX + 0.1, BY + 0.1, 0.08), line(BX - 0.1, BY + 0.1, BX + 0.1, BY - 0.1, 0.08)),
    colour: [220, 38, 38],
  },
}

function badge(state: keyof typeof badges, template: boolean): Layer[] {
  const own = badges[state]
  if (!own) return []
  const halo: Shape = state === 'degraded' ? triangle(BX, BY + 0.06, BR + 0.19) : disc(BX, BY, BR + 0.07)
  return [
    { shape: halo, fill: 'cut' },
    { shape: own.shape, fill: template ? BLACK : own.colour },
    ...(own.mark ? [{ shape: own.mark, fill: template ? ('cut' as const) : WHITE }] : []),
  ]
}

const colourTray = (state: keyof typeof badges): readonly Layer[] => [
  { shape: roundedSquare(0.02, 0.22), fill: tile },
  { shape: glyph(0.34, 0.09, 0.1, 0.17), fill: WHITE },
  ...badge(state, false),
]
/** macOS takes only the alpha of a template and colours it to suit the menu bar. */
const templateTray = (state: keyof typeof badges): readonly Layer[] => [
  { shape: glyph(0.46, 0.1, 0.13, 0.19), fill: BLACK },
  ...badge(state, true),
]

const resources = path.join(root, 'resources')
const write = (name: string, data: Buffer): void => {
  const file = path.join(resources, name)
  mkdirSync(path.dirname(file), { recursive: true })
  writeFileSync(file, data)
}

write('icon.png', encodePng(render(1024, appIcon)))
write('icon.ico', encodeIco([16, 24, 32, 48, 64, 128, 256].map((size) => render(size, appIcon))))
for (const state of Object.keys(badges) as (keyof typeof badges)[]) {
  write(`tray/${state}.png`, encodePng(render(24, colourTray(state))))
  write(`tray/${state}.ico`, encodeIco([16, 20, 24, 32, 48].map((size) => render(size, colourTray(state)))))
  write(`tray/${state}Template.png`, encodePng(render(16, templateTray(state))))
  write(`tray/${state}Template@2x.png`, encodePng(render(32, templateTray(state))))
}
