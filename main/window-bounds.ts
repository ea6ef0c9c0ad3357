export interface Rectangle {
  x: number
  y: number
  width: number
  height: number
}

/** Bounds that are visible on some display now; null when none shows enough of them. */
export function clampBounds(bounds: Rectangle, displays: readonly Rectangle[]): Rectangle | null {
  for (const area of displays) {
    const overlapX = Math.min(bounds.x + bounds.width, area.x + area.width) - Math.max(bounds.x, area.x)
    const overlapY = Math.min(bounds.y + bounds.height, area.y + area.height) - Math.max(bounds.y, area.y)
    if (overlapX < 100 || overlapY < 100) continue
    const width = Math.min(bounds.width, area.width)
    const height = Math.min(bounds.height, area.height)
    return {
      width,
      height,
      x: Math.min(Math.max(bounds.x, area.x), area.x + area.width - width),
      y: Math.min(Math.max(bounds.y, area.y), area.y + area.height - height),
    }
  }
  return null
}
