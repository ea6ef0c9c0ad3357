import { Ban, CircleCheck, CircleX, Hourglass, TriangleAlert } from '@lucide/vue'
import type { Component } from 'vue'
import type { Outcome } from '../../../hub/contract/index.ts'

/** A shape for each; its word stands beside it. */
export const outcomeLooks: Readonly<Record<Outcome, { icon: Component; tone: string }>> = {
  ok: { icon: CircleCheck, tone: 'text-ok' },
  'tool-error': { icon: TriangleAlert, tone: 'text-warn' },
  error: { icon: CircleX, tone: 'text-bad' },
  timeout: { icon: Hourglass, tone: 'text-bad' },
  cancelled: { icon: Ban, tone: 'text-muted' },
}
