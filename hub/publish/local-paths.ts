import { referencesInText } from '../config/interpolate.ts'
import { isRemote, type ServerConfig } from '../contract/index.ts'
import { say, type Said } from '../say.ts'

/** A text of a server's entry that may name a file or a folder. */
export interface Place {
  path: string
  value: string
  /** `path`: names one and nothing else. `word`: an argument or a variable. `text`: names one by a reference only. */
  kind: 'path' | 'word' | 'text'
}

/** Where an entry may name files and folders. */
export function placesOf(config: ServerConfig): Place[] {
  const places = (kind: Place['kind'], values: Readonly<Record<string, string | undefined>>): Place[] =>
    Object.entries(values).flatMap(([path, value]) => (value === undefined ? [] : [{ path, value, kind }]))
  const inside = (name: string, values: Readonly<Record<string, string>> = {}): Record<string, string> =>
    Object.fromEntries(Object.entries(values).map(([key, value]) => [`${name}.${key}`, value]))
  const each = (name: string, values: readonly string[] = []): Record<string, string> =>
    Object.fromEntries(values.map((value, index) => [`${name}[${index}]`, value]))
  if (isRemote(config)) {
    const { ca, cert, key } = config.hub?.tls ?? {}
    return [
      ...places('text', { url: config.url, ...inside('headers', config.headers) }),
      ...places('path', { 'hub.tls.ca': ca, 'hub.tls.cert': cert, 'hub.tls.key': key }),
    ]
  }
  return [
    ...places('path', { command: config.command }),
    ...places('word', { ...each('args', config.args), ...inside('env', config.env) }),
    ...places('path', { cwd: config.cwd, envFile: config.envFile, ...each('hub.roots', config.hub?.roots) }),
  ]
}

/**
 * The file or folder of a place that will not be there on the target, where `program` is the name of the server's command; null
 * when there is none. Looks at names, not at disks.
 */
export function pathFinding(place: Place, program: string, inImage: boolean): { message: Said; cure: Said } | null {
  const { value, kind } = place
  const reference = referencesInText(value).find((one) => one.kind === 'file')
  if (reference !== undefined)
    return {
      message: say`${`\${file:${reference.name}}`} is read on the target, and the bundle does not hold that file.`,
      cure: say`Put the file there as well, readable to the hub's user, or write \${secret:NAME} in its place.`,
    }
  const local = localPathIn(value) ?? relativePathIn(place, program)
  if (local !== null)
    return {
      message: say`${local} is a path of this computer.`,
      cure: say`Put the file or folder on the target and give its path there, or use a package that the target can install.`,
    }
  const absolute = inImage && kind !== 'text' ? ABSOLUTE_PATH.exec(value)?.[1] : undefined
  if (absolute === undefined || IN_IMAGE.test(absolute)) return null
  return {
    message: say`${absolute} is not in the container of the hubs.`,
    cure: say`If it is a file or folder, put it into the hub's data and give its path there, below ${'/var/lib/mcp-hub/data'}, or publish for PM2 or systemd.`,
  }
}

/** Folders of a person or of a desktop system; `/usr/bin/x` may well exist on the target. */
const LOCAL_PATH =
  /(?:^|[=:,\s"'])((?:file:\/\/)?(?:~[\\/]|\/(?:Users|home|root|Volumes|Applications|mnt\/[a-z]|private|opt\/homebrew)\/|[A-Za-z]:[\\/](?!\/)|\\\\)[^\s"',]*|\$\{(?:home|userHome|workspaceFolder)\}[^\s"',]*)/

/** A path that begins at a folder of a person, wherever it stands in the text. */
function localPathIn(value: string): string | null {
  return LOCAL_PATH.exec(value)?.[1] ?? null
}

/** What the scripts of a server are run by; their first word without a folder is a file of the folder that they are started in. */
const INTERPRETERS = /^(?:node|bun|deno|python3?|uv|ruby|php|java|bash|sh|tsx|ts-node)$/
const SCRIPT = /^[\w@.][\w@./\\-]*\.(?:[cm]?[jt]sx?|py|rb|php|sh|jar)$/

/** A path from the folder in which the hub runs, which is another one on the target. */
function relativePathIn({ path, value, kind }: Place, program: string): string | null {
  if (kind === 'text' || value === '') return null
  if (kind === 'path') {
    // The name of a command is looked for in PATH.
    if (path === 'command' && !/[\\/]/.test(value)) return null
    return /^(?:\/|file:|\$\{|-----BEGIN)/.test(value) ? null : value
  }
  const [, dotted = null] = /(?:^|=)(\.\.?[\\/][^\s"',]*)$/.exec(value) ?? []
  if (dotted !== null || !path.startsWith('args')) return dotted
  return value === '.' || value === '..' || (INTERPRETERS.test(program) && SCRIPT.test(value)) ? value : null
}

/** Behind two slashes stands the host of a URL, and one letter is an option of Windows. */
const ABSOLUTE_PATH = /(?:^|[=:,\s"']|file:\/\/)(\/(?!\/)[^\s"',:=]{2,})/
/** What a container of the hubs has. */
const IN_IMAGE = /^\/(?:var\/lib\/mcp-hub|app|usr|bin|sbin|lib|dev|proc|tmp)(?:\/|$)/
