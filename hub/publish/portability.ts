import { isEnabled, isRemote, type ServerConfig, type StdioServerConfig } from '../contract/index.ts'
import type { Finding, Target } from '../contract/publish.ts'
import { say, told, type Said } from '../say.ts'
import { pathFinding, placesOf } from './local-paths.ts'
import { findUnpinned } from './unpinned.ts'

type Code = Finding['code']

/** What of a live configuration will not work on a server, and what each server needs there. Pure: looks at names, not at disks. */
export function findPortabilityIssues(servers: Record<string, ServerConfig>, target: Target): Finding[] {
  return Object.entries(servers).flatMap(([name, config]) => {
    const add = (severity: Finding['severity'], code: Code, path: string, message: Said, cure: Said): Finding =>
      told({
        severity,
        code,
        server: name,
        path: path === '' ? `mcpServers.${name}` : `mcpServers.${name}.${path}`,
        message,
        cure,
      })
    const findings: Finding[] = []
    if (!isEnabled(config))
      findings.push(
        add(
          'info',
          'disabled',
          '',
          say`${name} is disabled and is published so.`,
          say`Enable it before publishing, or in the web UI of the target.`,
        ),
      )
    if (isRemote(config) && isLocalUrl(config.url))
      findings.push(
        add(
          'error',
          'localhost-url',
          'url',
          say`${config.url} points to this computer; on the target it would point to the target itself.`,
          say`Run that server on the target as well, or give the URL by which the target reaches it.`,
        ),
      )
    const program = isRemote(config) ? '' : commandName(config.command)
    const places = placesOf(config).map((place) => ({ ...place, found: pathFinding(place, program, isImage(target)) }))
    if (!isRemote(config)) {
      const elsewhere = places.some(({ path, found }) => path === 'command' && found !== null)
      const command = commandFinding(config, target, elsewhere)
      if (command !== null) findings.push(add(command.severity, command.code, 'command', command.message, command.cure))
    }
    for (const { path, value, kind, found } of places) {
      if (found !== null)
        findings.push(add(path === 'command' ? 'error' : 'warning', 'local-path', path, found.message, found.cure))
      else if (kind !== 'text' && path !== 'command' && urlsIn(value).some(isLocalUrl))
        findings.push(
          add(
            'warning',
            'localhost-url',
            path,
            say`${value} points to this computer.`,
            say`Give the address by which the target reaches that service.`,
          ),
        )
    }
    if (isRemote(config)) return findings
    const unpinned = findUnpinned(program, config)
    if (unpinned !== null)
      findings.push(
        add(
          'info',
          'unpinned',
          `args[${unpinned.index}]`,
          say`${unpinned.spec} names no exact version: the target takes the newest, which may be another than the one that runs here.`,
          say`Write the version that works here behind it, such as ${unpinned.example}.`,
        ),
      )
    const desktop = [config.command, ...(config.args ?? [])].find((part) => DESKTOP_PACKAGE.test(part))
    if (desktop !== undefined)
      findings.push(
        add(
          'warning',
          'desktop-only',
          'args',
          say`${desktop} drives a browser or a desktop, and a server has none.`,
          say`Install a headless browser on the target, or disable this server there.`,
        ),
      )
    return findings
  })
}

const DESKTOP_COMMANDS = new Set([
  'open',
  'osascript',
  'shortcuts',
  'xdg-open',
  'cmd',
  'powershell',
  'wsl',
  'start',
  'electron',
])
const DESKTOP_PACKAGE =
  /(?:playwright|puppeteer|chrome-devtools|browser-?(?:mcp|use|tools)|applescript|desktop-commander|computer-?use|blender-mcp|ableton|obsidian)/i

/** Programs that come with Node 24, which every target has. */
const WITH_NODE = new Set(['node', 'npx', 'npm', 'corepack'])
const RUNTIMES: Readonly<Record<string, string>> = {
  uv: 'uv',
  uvx: 'uv',
  python: 'Python 3',
  python3: 'Python 3',
  pip: 'Python 3',
  pipx: 'pipx',
  pnpm: 'pnpm',
  pnpx: 'pnpm',
  yarn: 'Yarn',
  bun: 'Bun',
  bunx: 'Bun',
  deno: 'Deno',
  go: 'Go',
  cargo: 'Rust',
  java: 'Java',
  dotnet: '.NET',
  ruby: 'Ruby',
  php: 'PHP',
  docker: 'Docker',
  podman: 'Podman',
}

/** Runtimes that the generated image gets by itself, by the name of the command. */
const IN_IMAGE = new Set(['uv', 'uvx', 'python', 'python3'])

/** The command's name without folder and Windows ending. */
export function commandName(command: string): string {
  const base = command.split(/[\\/]/).at(-1) ?? command
  return base.replace(/\.(?:exe|cmd|bat)$/i, '').toLowerCase()
}

/** `elsewhere`: it is said already that the command is a file that the target does not have. */
function commandFinding(
  config: StdioServerConfig,
  target: Target,
  elsewhere: boolean,
): { severity: Finding['severity']; code: Code; message: Said; cure: Said } | null {
  const name = commandName(config.command)
  if (DESKTOP_COMMANDS.has(name) || /\.(?:exe|cmd|bat|app)$/i.test(config.command)) {
    const inner = (config.args ?? []).find((arg) => WITH_NODE.has(commandName(arg)))
    const cure =
      inner === undefined
        ? say`Replace it by a program that runs on a Linux server, or disable this server there.`
        : say`Make ${commandName(inner)} the command and keep only the arguments after it.`
    return {
      severity: 'error',
      code: 'desktop-only',
      message: say`${config.command} exists only on a desktop system.`,
      cure,
    }
  }
  if (WITH_NODE.has(name) || elsewhere) return null
  const runtime = RUNTIMES[name]
  if (runtime === undefined)
    return {
      severity: 'warning',
      code: 'needs-runtime',
      message: say`${config.command} must be installed on the target.`,
      cure: isImage(target)
        ? addToImage(config.command, target)
        : say`Install it there so that the hub's user finds it in PATH, or give its absolute path on the target.`,
    }
  if (isImage(target) && IN_IMAGE.has(name))
    return {
      severity: 'info',
      code: 'needs-runtime',
      message: say`${runtime} is part of the generated image.`,
      cure: say`Nothing to do.`,
    }
  if (isImage(target) && (name === 'docker' || name === 'podman'))
    return {
      severity: 'error',
      code: 'needs-runtime',
      message: say`${config.command} cannot start containers from inside the hub's container.`,
      cure: say`Run that server as a service of its own and give its URL, or publish for PM2.`,
    }
  return {
    severity: 'warning',
    code: 'needs-runtime',
    message: say`${config.command} needs ${runtime} on the target.`,
    cure: isImage(target) ? addToImage(runtime, target) : say`Install ${runtime} for the user mcp-hub.`,
  }
}

/** A cluster's images are built by hand; those of Docker by deploy.sh, from a bundle whose files must be as they were published. */
function addToImage(what: string, { mode }: Target): Said {
  return mode === 'kubernetes'
    ? say`Add ${what} to docker/Dockerfile, stage hub.`
    : say`The image has no ${what}: run that server in a container of its own and give its URL, or publish for PM2 or systemd.`
}

/** The hub runs in the generated image, and finds only what is in it. */
function isImage({ mode }: Target): boolean {
  return mode === 'docker' || mode === 'kubernetes'
}

function urlsIn(value: string): string[] {
  return value.match(/\b(?:https?|wss?|postgres(?:ql)?|mysql|mongodb|redis):\/\/[^\s"']+/gi) ?? []
}

function isLocalUrl(value: string): boolean {
  try {
    const host = new URL(value.replace(/\$\{[^}]*\}/g, 'x')).hostname.replace(/^\[|\]$/g, '')
    return /^(?:localhost|.*\.localhost|.*\.local|127(?:\.\d+){3}|0\.0\.0\.0|::1?|host\.docker\.internal)$/i.test(host)
  } catch {
    return false
  }
}
