import { spawn } from 'node:child_process'
import { MARK_VARIABLE } from './process-tree.ts'

/**
 * A shell outside of the hub's process group, at the other end of a pipe. However the hub ends, the pipe ends with it; then
 * the shell kills whatever carries a mark of that hub. Two rounds: one that forks while it is looked for is found again.
 */
const scripts: Partial<Record<NodeJS.Platform, string>> = {
  linux: `cat >/dev/null
for round in 1 2; do
  for file in /proc/[0-9]*/environ; do
    if grep -qsF "$1" "$file"; then pid=\${file#/proc/}; kill -KILL "\${pid%/environ}"; fi
  done
done`,
  darwin: `cat >/dev/null
for round in 1 2; do
  ps -axEww -o pid=,command= | awk -v mark="$1" 'index($0, mark) { print $1 }' | xargs kill -KILL
done`,
}

/**
 * Ends the servers of a hub that is killed, at once instead of at the next start. Electron ends the hub with the app, without
 * a word, and after an app that crashed there may be no next start for long. Windows has no shell for it.
 */
export function startWatchdog(mark: string, platform: NodeJS.Platform = process.platform): { dispose: () => void } {
  const script = scripts[platform]
  if (script === undefined) return { dispose: () => undefined }
  const child = spawn('/bin/sh', ['-c', script, 'sh', `${MARK_VARIABLE}=${mark}`], {
    detached: true,
    stdio: ['pipe', 'ignore', 'ignore'],
    env: { PATH: '/usr/bin:/bin' },
  })
  // Without one the next start does what is left to do.
  child.on('error', () => undefined)
  child.stdin.on('error', () => undefined)
  child.unref()
  return { dispose: () => child.stdin.end() }
}
