import type { Lane } from '../load/lane.ts'
import type { Era } from '../programs/answers.ts'
import type { UpstreamConfig } from '../programs/upstream-config.ts'

export const contenderNames = ['direct', 'rawproxy', 'sdk', 'mcp-hub', 'ours'] as const
export type ContenderName = (typeof contenderNames)[number]

/** One way to reach the fixture server: a hub in front of it, or nothing. */
export interface Contender {
  name: ContenderName
  /** Eras that it can speak to servers and to clients. */
  eras: readonly Era[]
  /** Relays what servers send besides answers. */
  relays: boolean
  start: (setup: Setup) => Promise<Running>
}

export interface Setup {
  upstreams: UpstreamConfig[]
  /** Whether the joined list of all servers will be asked for. */
  joinLists?: boolean
}

export interface Running {
  /** The hub's process; the fixture server's where there is no hub. */
  pid: number
  openLane: (where: LaneTarget) => Promise<Lane>
  end: () => Promise<void>
}

export interface LaneTarget {
  /** A server by its name, or null for the endpoint of all. */
  upstream: string | null
  era: Era
}
