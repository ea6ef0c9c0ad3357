import type { Redactor } from '../observe/redactor.ts'
import { UpstreamFailure, type Channel, type ChannelHandlers } from './channel.ts'

/**
 * A channel whose failures are told without secrets. Messages pass untouched: what a server tells its client is theirs.
 */
export function redactFailures(
  redactor: Redactor,
  handlers: ChannelHandlers,
  create: (handlers: ChannelHandlers) => Channel,
): Channel {
  const channel = create({
    ...handlers,
    onFailure: (hop, error, undelivered, reason, status) =>
      handlers.onFailure(hop, redactor.value(error), undelivered, redactor.value(reason), status),
  })
  const { open } = channel
  channel.open = () =>
    open().catch((error: unknown) => {
      throw error instanceof UpstreamFailure
        ? new UpstreamFailure(redactor.value(error.reason), error.permanent)
        : new Error(redactor.text(error instanceof Error ? error.message : String(error)))
    })
  return channel
}
