import type { StdioServerConfig } from '../contract/index.ts'

/** A package or image that a command fetches by itself, without saying which version. */
export interface Unpinned {
  /** Where in `args` it is named. */
  index: number
  /** As it is written there. */
  spec: string
  /** The same with a version. */
  example: string
}

/** How a command line names what it fetches. */
interface Runner {
  /** Words before the options, as `run` of Docker. */
  subcommand?: string
  /** Options that name the package themselves; in their absence it is the first word that is no option. */
  naming: readonly string[]
  /** Whether the next word is the value of an option that has no `=`. */
  takesValue: (option: string) => boolean
  isExact: (spec: string) => boolean
  withVersion: (spec: string, named: boolean) => string
}

const COMMIT = /[#@][0-9a-f]{40}\b/
/** A folder, a file or a name that only the target knows is a matter of its own. */
const NO_PACKAGE = /^(?:[.~/\\]|[a-z]:[\\/]|file:)|\$\{/i

const npm: Runner = {
  naming: ['-p', '--package'],
  takesValue: (option) => ['-c', '--call', '-w', '--workspace', '--registry', '--prefix', '--cache'].includes(option),
  isExact: (spec) => /.@v?\d+\.\d+\.\d+(?:[-+][\w.+-]+)?$/.test(spec) || COMMIT.test(spec),
  withVersion: (spec) => `${spec.replace(/(?<=.)@[^@/]*$/, '')}@1.2.3`,
}

const UV_VALUES =
  /^(?:--(?:with|with-editable|with-requirements|python|index|default-index|index-url|extra-index-url|find-links|directory|project|env-file|config-file|cache-dir|constraints|overrides)|-[pwifcb])$/
const uv: Runner = {
  naming: ['--from'],
  takesValue: (option) => UV_VALUES.test(option),
  isExact: (spec) => /.(?:===?|@)\s*v?\d+(?:\.\d+)+[\w.+!-]*$/.test(spec) || COMMIT.test(spec),
  withVersion: (spec, named) => `${spec.replace(/\s*[<>=!~@;].*$/, '')}${named ? '==' : '@'}1.2.3`,
}

/** All others of `docker run` take a value. */
const DOCKER_FLAGS =
  /^(?:--(?:detach|init|interactive|no-healthcheck|oom-kill-disable|privileged|publish-all|quiet|read-only|replace|rm|sig-proxy|tty)|-[dPiqt]+)$/
const docker: Runner = {
  subcommand: 'run',
  naming: [],
  // `-eNAME` has its value with it.
  takesValue: (option) => !DOCKER_FLAGS.test(option) && !/^-\w./.test(option),
  // A tag such as `22` or `alpine` moves on; one like `1.2`, a day or a commit is taken for what it says.
  isExact: (spec) => /@sha256:[0-9a-f]{64}$|:[^/]*(?:\d\.\d|\d{6}|\b[0-9a-f]{7,40}\b)[^/]*$/.test(spec),
  withVersion: (spec) => `${spec.replace(/(?::[^/:@]*)?(?:@.*)?$/, '')}:1.2.3`,
}

const RUNNERS: Readonly<Record<string, Runner>> = { npx: npm, bunx: npm, pnpx: npm, uvx: uv, docker, podman: docker }

/** What of `args` the command `name` fetches in whatever version is newest; null where it is pinned, or fetches nothing. */
export function findUnpinned(name: string, { args = [] }: StdioServerConfig): Unpinned | null {
  const runner = RUNNERS[name]
  if (runner === undefined) return null
  const found = packageIn(runner, args)
  if (found === null || NO_PACKAGE.test(found.spec) || runner.isExact(found.spec)) return null
  return { index: found.index, spec: found.spec, example: runner.withVersion(found.spec, found.named) }
}

function packageIn(runner: Runner, args: readonly string[]): { index: number; spec: string; named: boolean } | null {
  const { subcommand, naming, takesValue } = runner
  if (subcommand !== undefined && args[0] !== subcommand) return null
  for (let index = subcommand === undefined ? 0 : 1; index < args.length; index++) {
    const word = args[index] ?? ''
    if (word === '--') continue
    if (!word.startsWith('-')) return { index, spec: word, named: false }
    const [option, value] = split(word)
    if (naming.includes(option)) {
      const at = value === undefined ? index + 1 : index
      const spec = value ?? args[at]
      return spec === undefined ? null : { index: at, spec, named: true }
    }
    if (value === undefined && takesValue(option)) index++
  }
  return null
}

/** `--name=value`, at the first `=`. */
function split(word: string): [option: string, value?: string] {
  const at = word.indexOf('=')
  return word.startsWith('--') && at !== -1 ? [word.slice(0, at), word.slice(at + 1)] : [word]
}
