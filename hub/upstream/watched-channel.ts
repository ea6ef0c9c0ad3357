import type { Channel, ChannelHandlers } from './channel.ts'

/** What is seen of a connection from outside while it is made. */
export interface ChannelWatch {
  /** The process was started, or the connection is ready to be used. */
  onOpen: (pid: number | null) => void
  /** Something came from the server. */
  onData: () => void
  /** The handshake is over: the lists are asked for. */
  onListing: () => void
}

/** A channel whose steps are told. */
export function watchChannel(
  watch: ChannelWatch | null,
  handlers: ChannelHandlers,
  create: (handlers: ChannelHandlers) => Channel,
): Channel {
  if (watch === null) return create(handlers)
  const channel = create({
    ...handlers,
    onReply: (hop, reply, heardAt) => {
      watch.onData()
      handlers.onReply(hop, reply, heardAt)
    },
    onMessage: (message, hop) => {
      watch.onData()
      handlers.onMessage(message, hop)
    },
    onLog: (stream, level, text) => {
      // What the hub has to say of a message, it says because something came.
      if (stream === 'hub') watch.onData()
      handlers.onLog(stream, level, text)
    },
  })
  const { open, send } = channel
  channel.open = async () => {
    await open()
    watch.onOpen(channel.pid)
  }
  channel.send = (hop, text, hints) => {
    if (hints.method.endsWith('/list')) watch.onListing()
    send(hop, text, hints)
  }
  return channel
}
