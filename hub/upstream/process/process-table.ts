import { closeSync, openSync, readdirSync, readlinkSync, readSync } from 'node:fs'

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
  const load = async (): Promise<ProcessTable> => {
    const { psTable, windowsTable } = await import('./printed-processes.ts')
    return platform === 'win32' ? windowsTable : psTable
  }
  return {
    list: async () => (await load()).list(),
    startTimeOf: async (pid) => (await load()).startTimeOf(pid),
    marked: async (variable, prefix) => (await load()).marked(variable, prefix),
  }
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
