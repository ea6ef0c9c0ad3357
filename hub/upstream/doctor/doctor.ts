import {
  isRemote,
  transportOf,
  type DoctorProgress,
  type DoctorReport,
  type DoctorStepId,
  type Reason,
  type ServerConfig,
} from '../../contract/index.ts'
import { execStamp } from '../../auth/exec-stamp.ts'
import { say, told, type Said } from '../../say.ts'
import { describeTarget } from '../server-status.ts'
import type { Upstream } from '../upstream.ts'
import type { ChannelWatch } from '../watched-channel.ts'
import { examineCommand, type LocalPatient } from './local-steps.ts'
import { examineAddress, type RemotePatient } from './remote-steps.ts'
import { createStepList, StepFailure, type StepList } from './step-list.ts'

export interface DoctorOptions {
  local: (name: string, config: ServerConfig) => LocalPatient
  remote: (name: string, config: ServerConfig) => RemotePatient
  /** The server beside the one that runs, to be started once; the caller stops it. */
  createTrial: (name: string, config: ServerConfig, watch: ChannelWatch) => Upstream
  /** The entry of that name in the configuration. */
  saved: (name: string) => ServerConfig | undefined
  /** Throws UpstreamFailure for a program that nobody agreed to. */
  refuseUnagreed: (name: string, config: ServerConfig) => void
  redact: <T>(value: T) => T
}

export interface Doctor {
  /** Examines an entry step by step up to its tools; ends what it started. Aborting ends it early. */
  examine: (
    name: string,
    config: ServerConfig,
    signal?: AbortSignal,
    onProgress?: (progress: DoctorProgress) => void,
  ) => Promise<DoctorReport>
}

const LOCAL_STEPS: readonly DoctorStepId[] = ['configuration', 'path', 'executable', 'version', 'spawn', 'first-bytes']
const REMOTE_STEPS: readonly DoctorStepId[] = ['configuration', 'resolve', 'connect', 'tls', 'http', 'auth']
const MCP_STEPS: readonly DoctorStepId[] = ['handshake', 'era', 'tools']
const LIMIT_MS = 120_000
const STDERR_LINES = 50

/** Which step of a remote server a failure belongs to, when its connection says so. */
const stepOfReason: Partial<Record<Reason['code'], DoctorStepId>> = {
  'host-not-found': 'resolve',
  'blocked-address': 'resolve',
  'connection-refused': 'connect',
  proxy: 'connect',
  tls: 'tls',
  redirected: 'http',
  'http-status': 'http',
  'needs-auth': 'auth',
  'sign-in-unavailable': 'auth',
  'unresolved-reference': 'configuration',
}

export function createDoctor(options: DoctorOptions): Doctor {
  return {
    examine: async (name, config, signal, onProgress = () => undefined) => {
      const begunAt = Date.now()
      const startedAt = performance.now()
      const expected = [...(isRemote(config) ? REMOTE_STEPS : LOCAL_STEPS), ...MCP_STEPS]
      onProgress({ type: 'expected', steps: expected })
      const steps = createStepList((step) => onProgress({ type: 'step', step: options.redact(step) }))
      let reason: Reason | null = null
      let talk: Talk = { reason: null, era: null, stderr: [] }
      try {
        if (isRemote(config)) await examineAddress(steps, options.remote(name, config))
        else await examineCommand(steps, agreedPatient(name, config, options))
        talk = await converse(steps, name, config, options, signal)
        reason = talk.reason
      } catch (error) {
        if (!(error instanceof StepFailure)) throw error
        reason = error.reason
      }
      return options.redact({
        server: name,
        ok: steps.failed === null,
        startedAt: begunAt,
        durationMs: Math.round(performance.now() - startedAt),
        transport: transportOf(config),
        target: describeTarget(config),
        platform: `${process.platform} ${process.arch}`,
        steps: steps.results(expected),
        failed: steps.failed,
        reason,
        era: talk.era,
        stderr: talk.stderr,
      })
    },
  }
}

/** Whoever gives another entry than the saved one was asked about its program; about that of the saved one perhaps nobody was. */
function agreedPatient(name: string, config: ServerConfig, options: DoctorOptions): LocalPatient {
  const patient = options.local(name, config)
  const saved = options.saved(name)
  if (saved === undefined || execStamp(saved) !== execStamp(config)) return patient
  return {
    ...patient,
    command: async () => {
      options.refuseUnagreed(name, saved)
      return patient.command()
    },
  }
}

interface Talk {
  reason: Reason | null
  era: DoctorReport['era']
  stderr: string[]
}

/** Starts the server once and has it list what it offers; the steps are told from what is seen of its connection. */
async function converse(
  steps: StepList,
  name: string,
  config: ServerConfig,
  options: DoctorOptions,
  signal: AbortSignal | undefined,
): Promise<Talk> {
  const begin = performance.now()
  const at: { open?: number; data?: number; listing?: number; pid?: number | null } = {}
  const trialConfig = { ...config, hub: { ...config.hub, enabled: true, maxStartAttempts: 1 } } as ServerConfig
  const local = !isRemote(config)
  /** A step that is over, told while the next one goes on. */
  const passed = (id: DoctorStepId, from: number | undefined, message: Said): void => {
    if (local) steps.add(id, performance.now() - (from ?? begin), told({ message }))
  }
  const trial = options.createTrial(name, trialConfig, {
    onOpen: (pid) => {
      if (at.open !== undefined) return
      at.open = performance.now()
      at.pid = pid
      passed('spawn', begin, say`Process ${pid ?? ''} runs`)
    },
    onData: () => {
      if (at.data !== undefined) return
      at.data = performance.now()
      passed('first-bytes', at.open, say`It answers on stdout`)
    },
    onListing: () => {
      if (at.listing !== undefined) return
      at.listing = performance.now()
      passed('handshake', at.data, say`The server greets back`)
    },
  })
  const stop = (): void => void trial.stop()
  signal?.addEventListener('abort', stop, { once: true })
  try {
    trial.start()
    await trial.settled(LIMIT_MS)
    const end = performance.now()
    const { state, reason, era, protocolVersion, serverInfo, counts } = trial.status()
    const works = state === 'running' || state === 'degraded'
    const stderr = trial.log
      .lines()
      .filter(({ stream }) => stream === 'stderr')
      .slice(-STDERR_LINES)
      .map(({ text }) => text)

    const remote = isRemote(config)
    const seen = [...(remote ? (['http', 'auth'] as const) : (['spawn', 'first-bytes'] as const)), ...MCP_STEPS]
    const failure = works ? null : (reason ?? noReason)
    const failedStep = failure === null ? null : stepOf(failure, remote, at)
    /** Adds a step that was passed, or the failure when it is the one that failed; false after that. */
    const tell = (id: DoctorStepId, from: number | undefined, to: number | undefined, message: Said): boolean => {
      const ms = (to ?? end) - (from ?? begin)
      if (failedStep === id && failure !== null) steps.fail(id, ms, failure)
      else steps.add(id, ms, told({ message }))
      return failedStep !== id
    }
    if (failure !== null && failedStep !== null && !seen.includes(failedStep)) {
      // What came before MCP was not looked at, because a proxy stands between.
      steps.fail(failedStep, end - begin, failure)
      return { reason: failure, era, stderr }
    }
    const answers = remote
      ? tell('http', at.open, at.data, say`The address answers`) &&
        tell('auth', at.data, at.data, say`Access is granted`)
      : tell('spawn', begin, at.open, say`Process ${at.pid ?? ''} runs`) &&
        tell('first-bytes', at.open, at.data, say`It answers on stdout`)
    if (
      answers &&
      tell(
        'handshake',
        at.data,
        at.listing,
        serverInfo === null ? say`The server greets back` : say`${infoOf(serverInfo)} greets back`,
      )
    ) {
      const words =
        era === null
          ? say`Known once it runs`
          : era === 'modern'
            ? say`Modern, protocol ${protocolVersion ?? ''}`
            : say`Legacy, protocol ${protocolVersion ?? ''}`
      tell('era', at.listing, at.listing, words)
      const { tools, prompts, resources } = counts
      tell('tools', at.listing, end, say`${tools} tools, ${prompts} prompts, ${resources} resources`)
    }
    return { reason: failure, era, stderr }
  } finally {
    signal?.removeEventListener('abort', stop)
    await trial.stop()
  }
}

/** How far it came before it failed. */
function stepOf(
  failure: Reason,
  remote: boolean,
  at: { open?: number; data?: number; listing?: number },
): DoctorStepId {
  if (at.listing !== undefined) return 'tools'
  if (remote) {
    return stepOfReason[failure.code] ?? (at.data === undefined ? 'http' : 'handshake')
  }
  if (at.open === undefined) return 'spawn'
  return at.data === undefined ? 'first-bytes' : 'handshake'
}

const infoOf = ({ name, version }: { name: string; version: string }): string => `${name} ${version}`.trim()

const noReason: Reason = told({
  code: 'start-timeout',
  message: say`The server was not ready within ${LIMIT_MS / 1_000} s`,
  cure: say`Read its log; if it downloads itself first, start it once in a terminal.`,
})
