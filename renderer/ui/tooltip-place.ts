export type TooltipSide = 'top' | 'right' | 'bottom' | 'left'

interface Size {
  readonly width: number
  readonly height: number
}
type Box = Size & { readonly left: number; readonly top: number }

/** Between what is told of and the tooltip. */
const GAP = 5
/** That stays free along the edges of the window. */
const MARGIN = 8
const opposite = { top: 'bottom', bottom: 'top', left: 'right', right: 'left' } as const

/** Where a tooltip goes: at the middle of its side, or of the opposite one where it has no room; always within the window. */
export function placeTooltip(
  target: Box,
  tooltip: Size,
  window: Size,
  side: TooltipSide,
): { left: number; top: number } {
  const room: Record<TooltipSide, number> = {
    top: target.top - GAP - MARGIN - tooltip.height,
    left: target.left - GAP - MARGIN - tooltip.width,
    bottom: window.height - target.top - target.height - GAP - MARGIN - tooltip.height,
    right: window.width - target.left - target.width - GAP - MARGIN - tooltip.width,
  }
  const at = room[side] < 0 && room[opposite[side]] >= 0 ? opposite[side] : side
  const middle = {
    left: target.left + (target.width - tooltip.width) / 2,
    top: target.top + (target.height - tooltip.height) / 2,
  }
  const wanted = {
    top: { ...middle, top: target.top - GAP - tooltip.height },
    bottom: { ...middle, top: target.top + target.height + GAP },
    left: { ...middle, left: target.left - GAP - tooltip.width },
    right: { ...middle, left: target.left + target.width + GAP },
  }[at]
  return {
    left: within(wanted.left, window.width - tooltip.width),
    top: within(wanted.top, window.height - tooltip.height),
  }
}

const within = (at: number, most: number): number => Math.round(Math.max(MARGIN, Math.min(at, most - MARGIN)))
