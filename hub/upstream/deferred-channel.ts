import type { Channel } from './channel.ts'

/** A channel whose code is loaded when it is opened; nothing but its end is asked of it before. */
export function deferChannel(isShared: boolean, load: () => Promise<Channel>): Channel {
  let channel: Channel | null = null
  let closed = false
  return {
    get pid() {
      return channel?.pid ?? null
    },
    get openStreams() {
      return channel?.openStreams ?? 0
    },
    isShared,
    open: async () => {
      channel = await load()
      if (closed) await channel.close(true)
      await channel.open()
    },
    send: (hop, text, hints) => channel?.send(hop, text, hints),
    notify: (text, method) => channel?.notify(text, method),
    answer: (id, text) => channel?.answer(id, text),
    abort: (hop) => channel?.abort(hop) ?? false,
    established: (version, modern) => channel?.established(version, modern),
    resetSession: () => channel?.resetSession(),
    close: async (atOnce) => {
      closed = true
      await channel?.close(atOnce)
    },
  }
}
