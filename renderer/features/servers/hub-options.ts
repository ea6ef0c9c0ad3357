/** Which of the hub's options an entry's form has fields for, as they stand there. */
interface Group {
  id: 'start' | 'calls' | 'health' | 'resources'
  /** Of a process on this computer; a remote server has none. */
  localOnly?: true
  choices: readonly Choice[]
  numbers: readonly string[]
  /** Lists of texts. */
  lists?: readonly string[]
}

export interface Choice {
  key: string
  /** The first is what counts where the entry says nothing. */
  values: readonly string[]
}

export const optionGroups: readonly Group[] = [
  {
    id: 'start',
    choices: [{ key: 'start', values: ['always', 'on-demand'] }],
    numbers: ['idleStopMs', 'startTimeoutMs', 'maxStartAttempts'],
  },
  {
    id: 'calls',
    choices: [{ key: 'era', values: ['auto', 'legacy', 'modern'] }],
    numbers: [
      'callTimeoutMs',
      'totalTimeoutMs',
      'maxConcurrentCalls',
      'maxQueuedCalls',
      'maxInstances',
      'instanceIdleMs',
    ],
    lists: ['roots'],
  },
  {
    id: 'health',
    choices: [],
    numbers: ['healthCheckIntervalMs', 'healthCheckTimeoutMs', 'healthCheckMisses'],
  },
  {
    id: 'resources',
    localOnly: true,
    choices: [{ key: 'overLimit', values: ['warn', 'restart'] }],
    numbers: ['maxMemoryMb', 'maxCpuPercent'],
  },
]

/** What may be 0: it switches something off. */
export const mayBeZero: ReadonlySet<string> = new Set(['healthCheckIntervalMs', 'healthCheckMisses', 'maxQueuedCalls'])
