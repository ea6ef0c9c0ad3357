import { execFile } from 'node:child_process'
import { coalesce } from './coalesce.ts'
import type { ProcessInfo, ProcessTable } from './process-table.ts'

const PS_FIELDS = 'pid=,ppid=,pgid=,lstart=,rss=,time='

/** macOS and the BSDs. */
export const psTable: ProcessTable = {
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
export const windowsTable: ProcessTable = {
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
