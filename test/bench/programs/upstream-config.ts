import type { Era } from './answers.ts'

export type UpstreamConfig = { name: string; era: Era } & (
  { kind: 'stdio'; command: string; args: string[] } | { kind: 'http'; url: string }
)

/** What the plain hubs of the benchmark are told, as JSON in their one argument. */
export interface PlainHubConfig {
  upstreams: UpstreamConfig[]
  /** Whether `/mcp` answers `tools/list` with the tools of all servers. */
  joinLists: boolean
}

export function readConfig(): PlainHubConfig {
  return JSON.parse(process.argv[2] ?? '{}') as PlainHubConfig
}
