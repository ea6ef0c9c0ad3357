/** The state machine of one upstream server; docs/server-states.md has its picture. */
export const serverStates = [
  'disabled',
  'idle',
  'starting',
  'running',
  'degraded',
  'needs-auth',
  'backoff',
  'failed',
  'stopping',
] as const
export type ServerState = (typeof serverStates)[number]
