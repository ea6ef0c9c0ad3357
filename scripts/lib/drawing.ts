import type { Image } from './png.ts'

/** Whether a point lies in a shape. The picture spans 0 to 1 both ways, y downwards. */
export type Shape = (x: number, y: number) => boolean
export type Colour = readonly [red: number, green: number, blue: number]
/** A shape in a colour, or one that cuts through what lies under it. */
export type Layer = { readonly shape: Shape; readonly fill: Colour | ((x: number, y: number) => Colour) | 'cut' }

export const disc = (cx: number, cy: number, radius: number): Shape => {
  return (x, y) => Math.hypot(x - cx, y - cy) <= radius
}

export const line = (x1: number, y1: number, x2: number, y2: number, width: number): Shape => {
  const [dx, dy] = [x2 - x1, y2 - y1]
  return (x, y) => {
    const along = Math.max(0, Math.min(1, ((x - x1) * dx + (y - y1) * dy) / (dx * dx + dy * dy)))
    return Math.hypot(x - x1 - along * dx, y - y1 - along * dy) <= width / 2
  }
}

export const roundedSquare = (inset: number, radius: number): Shape => {
  const half = 0.5 - inset - radius
  return (x, y) => {
    const [dx, dy] = [Math.max(0, Math.abs(x - 0.5) - half), Math.max(0, Math.abs(y - 0.5) - half)]
    return Math.hypot(dx, dy) <= radius
  }
}

/** An upright triangle around a centre, its corners on a circle of that radius. */
export const triangle = (cx: number, cy: number, radius: number): Shape => {
  return (x, y) => {
    const [dx, dy] = [Math.abs(x - cx), y - cy]
    return dy <= radius / 2 && dx * Math.sqrt(3) - dy <= radius
  }
}

export const union = (...shapes: readonly Shape[]): Shape => {
  return (x, y) => shapes.some((shape) => shape(x, y))
}

/** Points taken for each pixel, each way. A large picture has pixels enough of its own. */
const samplesFor = (size: number): number => (size > 64 ? 3 : 6)

/** Paints the layers one over the other. */
export function render(size: number, layers: readonly Layer[]): Image {
  const samples = samplesFor(size)
  const pixels = new Uint8Array(size * size * 4)
  for (let py = 0; py < size; py += 1) {
    for (let px = 0; px < size; px += 1) {
      let [red, green, blue, covered] = [0, 0, 0, 0]
      for (let sample = 0; sample < samples * samples; sample += 1) {
        const x = (px + ((sample % samples) + 0.5) / samples) / size
        const y = (py + (Math.floor(sample / samples) + 0.5) / samples) / size
        const top = layers.findLast(({ shape }) => shape(x, y))
        if (!top || top.fill === 'cut') continue
        const [r, g, b] = typeof top.fill === 'function' ? top.fill(x, y) : top.fill
        red += r
        green += g
        blue += b
        covered += 1
      }
      if (covered === 0) continue
      const alpha = Math.round((covered / (samples * samples)) * 255)
      pixels.set([red / covered, green / covered, blue / covered, alpha].map(Math.round), (py * size + px) * 4)
    }
  }
  return { size, pixels }
}
