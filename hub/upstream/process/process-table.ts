import { execFile } from 'node:child_process'
import { closeSync, openSync, readdirSync, readlinkSync, readSync } from 'node:fs'
import { coalesce } from './coalesce.ts'

/** One process of the machine. */
export interface ProcessInfo {
  pid: number
  parent: number
  /** Process group; on Windows, which has none, its own pid. */
  group: number
  /** With the pid it names a process for good; pids are used again. */
  startedAt: string
  rssBytes: number
  /** CPU time that it has used. */
  cpuMs: number
}

/** The processes of the machine, as far as the system shows them to us. */
export interface ProcessTable {
  list: () => Promise<ProcessInfo[]>
  /** Empty when there is no such process. */
  startTimeOf: (pid: number) => Promise<string>
  /** Processes whose environment carries the variable with a value that begins so. Empty where the system does not tell. */
  marked: (variable: string, prefix: string) => Promise<{ pid: number; value: string }[]>
}

export function systemProcessTable(platform: NodeJS.Platform = process.platform): ProcessTable {
  if (platform === 'linux') return linuxTable
  return platform === 'win32' ? windowsTable : psTable
}

/** The PID namespace of a machine itself has this number everywhere (`PROC_PID_INIT_INO` of Linux). */
const MACHINE = '4026531836'

/** Where the pids that this process sees count: the number of its PID namespace, as a container has one; '' for the machine's own. */
export function pidSpace(): string {
  try {
    const number = /\d+/.exec(readlinkSync('/proc/self/ns/pid'))?.[0] ?? MACHINE
    return number === MACHINE ? '' : number
  } catch {
    return ''
  }
}

/** Reading /proc blocks; this many processes at once take about 2 ms. */
const PIECE = 200
const breath = (): Promise<void> => new Promise((resolve) => setImmediate(resolve))

async function eachProcess<T>(read: (pid: number) => T | null): Promise<T[]> {
  const pids = readdirSync('/proc').map(Number).filter(Number.isInteger)
  const found: T[] = []
  for (const [index, pid] of pids.entries()) {
    if (index % PIECE === PIECE - 1) await breath()
    const one = read(pid)
    if (one !== null) found.push(one)
  }
  return found
}

const linuxTable: ProcessTable = {
  list: () => eachProcess((pid) => readStat(pid)),
  startTimeOf: (pid) => Promise.resolve(readStat(pid)?.startedAt ?? ''),
  marked: (variable, prefix) => {
    const wanted = Buffer.from(`${variable}=${prefix}`)
    return eachProcess((pid) => {
      const value = variableIn(readOrNull(`/proc/${pid}/environ`), wanted)
      return value === null ? null : { pid, value: value.slice(variable.length + 1) }
    })
  },
}

/** The variable of an environment, `NAME=value`s with a zero byte behind each, that begins so. Few processes have it. */
function variableIn(environment: Buffer | null, wanted: Buffer): string | null {
  if (environment === null) return null
  for (let at = environment.indexOf(wanted); at !== -1; at = environment.indexOf(wanted, at + 1)) {
    if (at > 0 && environment[at - 1] !== 0) continue
    const end = environment.indexOf(0, at)
    return environment.toString('latin1', at, end === -1 ? undefined : end)
  }
  return null
}

function readStat(pid: number): ProcessInfo | null {
  const text = readOrNull(`/proc/${pid}/stat`)?.toString('latin1')
  return text === undefined ? null : parseProcStat(pid, text, pageSize())
}

/** The files of /proc tell no size: `readFileSync` takes 64 kB for each of them, megabytes for one look at all processes. */
let scratch = Buffer.alloc(0)

/**
 * The content, until the next file is read; null where there is none: a process may end while it is looked at, and those of
 * other users keep their environment to themselves.
 */
function readOrNull(file: string): Buffer | null {
  let descriptor: number | null = null
  try {
    descriptor = openSync(file, 'r')
    for (let length = 0; ;) {
      if (length === scratch.length) scratch = Buffer.concat([scratch], Math.max(16_384, length * 2))
      const read = readSync(descriptor, scratch, length, scratch.length - length, null)
      if (read === 0) return scratch.subarray(0, length)
      length += read
    }
  } catch {
    return null
  } finally {
    if (descriptor !== null) closeSync(descriptor)
  }
}

/** `/proc/PID/stat` (proc(5)); null for a process that has ended and only waits to be collected. */
export function parseProcStat(pid: number, text: string, bytesPerPage: number): ProcessInfo | null {
  // The name is in brackets and may hold anything, brackets and spaces too.
  const fields = text.slice(text.lastIndexOf(')') + 2).split(' ')
  const field = (number: number): string => fields[number - 3] ?? ''
  if (field(3) === 'Z' || field(3) === 'X' || field(22) === '') return null
  return {
    pid,
    parent: Number(field(4)),
    group: Number(field(5)),
    startedAt: field(22),
    rssBytes: Number(field(24)) * bytesPerPage,
    // USER_HZ is 100 on every architecture that Node runs on.
    cpuMs: (Number(field(14)) + Number(field(15))) * 10,
  }
}

let knownPageSize = 0
/** Of 4, 16 and 64 KB; told by our own memory, which is known in bytes and in pages. */
function pageSize(): number {
  if (knownPageSize > 0) return knownPageSize
  const pages = Number(readOrNull('/proc/self/statm')?.toString('latin1').split(' ')[1] ?? 0)
  const bytes = process.memoryUsage.rss()
  knownPageSize = [4_096, 16_384, 65_536].find((size) => size * pages > bytes / 2) ?? 4_096
  return knownPageSize
}

const PS_FIELDS = 'pid=,ppid=,pgid=,lstart=,rss=,time='

/** macOS and the BSDs. */
const psTable: ProcessTable = {
  list: async () => parsePs(await output('ps', ['-axo', PS_FIELDS])),
  startTimeOf: async (pid) => parsePs(await output('ps', ['-o', PS_FIELDS, '-p', String(pid)]))[0]?.startedAt ?? '',
  marked: async (variable, prefix) =>
    parseMarked(await output('ps', ['-axEww', '-o', 'pid=,command=']), variable, prefix),
}

export function parsePs(text: string): ProcessInfo[] {
  return text.split('\n').flatMap((line) => {
    const match = /^\s*(\d+)\s+(\d+)\s+(\d+)\s+(\S.*?\d{4})\s+(\d+)\s+([\d:.-]+)\s*$/.exec(line)
    if (match === null) return []
    const [, pid, parent, group, startedAt = '', rss, time = ''] = match
    return {
      pid: Number(pid),
      parent: Number(parent),
      group: Number(group),
      startedAt: startedAt.replace(/\s+/g, ' '),
      rssBytes: Number(rss) * 1_024,
      cpuMs: cpuTime(time),
    }
  })
}

/** `[days-]hours:minutes:seconds[.hundredths]`, as ps prints it. */
function cpuTime(text: string): number {
  const [clock = '', days = '0'] = text.split('-').reverse()
  const seconds = clock.split(':').reduce((sum, part) => sum * 60 + Number(part), 0)
  return Math.round((Number(days) * 86_400 + seconds) * 1_000)
}

/** `ps -E` prints the environment behind the command line. */
export function parseMarked(text: string, variable: string, prefix: string): { pid: number; value: string }[] {
  return text.split('\n').flatMap((line) => {
    const pid = /^\s*(\d+)\s/.exec(line)?.[1]
    const value = line
      .split(' ')
      .find((word) => word.startsWith(`${variable}=${prefix}`))
      ?.slice(variable.length + 1)
    return pid === undefined || value === undefined ? [] : { pid: Number(pid), value }
  })
}

const CIM_QUERY =
  'Get-CimInstance Win32_Process | Select-Object ProcessId,ParentProcessId,@{n="Started";e={$_.CreationDate.ToFileTimeUtc()}},WorkingSetSize,KernelModeTime,UserModeTime | ConvertTo-Json -Compress'

/** PowerShell takes half a second to start: twenty servers that start at once are looked for in one list. */
const windowsList = coalesce(async () =>
  parseCim(await output('powershell.exe', ['-NoProfile', '-NonInteractive', '-Command', CIM_QUERY])),
)

/** Windows does not tell the environment of other processes. */
const windowsTable: ProcessTable = {
  list: windowsList,
  startTimeOf: async (pid) => (await windowsList()).find((one) => one.pid === pid)?.startedAt ?? '',
  marked: () => Promise.resolve([]),
}

/** Null for what is none: cut off at the time limit, or a notice of a policy. */
function jsonOf(text: string): unknown {
  try {
    return JSON.parse(text) as unknown
  } catch {
    return null
  }
}

export function parseCim(text: string): ProcessInfo[] {
  const parsed = jsonOf(text) as Record<string, number | null>[] | Record<string, number | null> | null
  if (parsed === null) return []
  return (Array.isArray(parsed) ? parsed : [parsed]).map((one) => ({
    pid: one['ProcessId'] ?? 0,
    parent: one['ParentProcessId'] ?? 0,
    group: one['ProcessId'] ?? 0,
    startedAt: String(one['Started'] ?? ''),
    rssBytes: one['WorkingSetSize'] ?? 0,
    // In steps of 100 ns.
    cpuMs: ((one['KernelModeTime'] ?? 0) + (one['UserModeTime'] ?? 0)) / 10_000,
  }))
}

/** Whether it was started before a time that the same table told. */
export const isOlder = (one: ProcessInfo, startedAt: string): boolean => Number(one.startedAt) < Number(startedAt)

/** Every process below one, itself left out. A parent's pid that is used again since does not make a stranger a child. */
export function descendantsOf(root: ProcessInfo, all: readonly ProcessInfo[]): ProcessInfo[] {
  const found: ProcessInfo[] = []
  const queue = [root]
  for (let parent = queue.shift(); parent !== undefined; parent = queue.shift()) {
    for (const one of all) {
      if (one.parent !== parent.pid || one.pid === parent.pid || isOlder(one, parent.startedAt)) continue
      if (found.includes(one)) continue
      found.push(one)
      queue.push(one)
    }
  }
  return found
}

function output(file: string, args: string[]): Promise<string> {
  return new Promise((resolve) => {
    execFile(
      file,
      args,
      { timeout: 10_000, maxBuffer: 64 * 1_048_576, windowsHide: true, env: { ...process.env, LC_ALL: 'C' } },
      (_error, stdout) => resolve(stdout),
    )
  })
}
