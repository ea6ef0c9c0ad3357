import { say, type Said } from '../../say.ts'

/** A program that servers are commonly started with. */
export interface Runtime {
  name: string
  /** The commands that it brings. */
  commands: readonly string[]
  versionArgs: readonly string[]
  /** The oldest version that current servers run on. */
  oldest: string | null
  install: Readonly<Record<'darwin' | 'win32' | 'linux', string | Said>>
}

export const runtimes: readonly Runtime[] = [
  {
    name: 'Node.js',
    commands: ['node', 'npx', 'npm'],
    versionArgs: ['--version'],
    oldest: '18.0.0',
    install: {
      darwin: say`brew install node, or the installer of https://nodejs.org`,
      win32: 'winget install OpenJS.NodeJS.LTS',
      linux: say`the packages of https://nodejs.org/en/download, or nvm`,
    },
  },
  {
    name: 'uv',
    commands: ['uvx', 'uv'],
    versionArgs: ['--version'],
    oldest: null,
    install: {
      darwin: 'brew install uv',
      win32: 'winget install astral-sh.uv',
      linux: 'curl -LsSf https://astral.sh/uv/install.sh | sh',
    },
  },
  {
    name: 'Python',
    commands: ['python', 'python3', 'pip', 'pipx'],
    versionArgs: ['--version'],
    oldest: '3.10.0',
    install: {
      darwin: say`brew install python, and use python3 as the command`,
      win32: 'winget install Python.Python.3.13',
      linux: say`apt install python3 (or the package of your distribution), and use python3 as the command`,
    },
  },
  {
    name: 'Docker',
    commands: ['docker'],
    versionArgs: ['--version'],
    oldest: null,
    install: {
      darwin: say`Docker Desktop from https://docs.docker.com/desktop, and start it`,
      win32: say`winget install Docker.DockerDesktop, and start it`,
      linux: say`Docker Engine from https://docs.docker.com/engine/install, and start it`,
    },
  },
  {
    name: 'Bun',
    commands: ['bun', 'bunx'],
    versionArgs: ['--version'],
    oldest: null,
    install: {
      darwin: 'brew install oven-sh/bun/bun',
      win32: 'winget install Oven-sh.Bun',
      linux: 'curl -fsSL https://bun.sh/install | bash',
    },
  },
  {
    name: 'Deno',
    commands: ['deno'],
    versionArgs: ['--version'],
    oldest: null,
    install: {
      darwin: 'brew install deno',
      win32: 'winget install DenoLand.Deno',
      linux: 'curl -fsSL https://deno.land/install.sh | sh',
    },
  },
]

/** The runtime that a command belongs to, also with a folder before it or `.exe` behind it. */
export function runtimeOf(command: string): Runtime | null {
  const base = command.replace(/^.*[/\\]/, '').toLowerCase()
  const bare = base.replace(/\.(exe|cmd|bat|com)$/, '')
  // python3.12 is Python as python is.
  const plain = bare.replace(/^(python3?|pip3?)[\d.]*$/, (_whole, name: string) => name.replace('pip3', 'pip'))
  return runtimes.find(({ commands }) => commands.includes(plain)) ?? null
}

/** How a person gets a command that is missing; null when it is none that the hub knows. */
export function installHint(command: string, platform: NodeJS.Platform): Said | null {
  const runtime = runtimeOf(command)
  if (runtime === null) return null
  const system = platform === 'darwin' || platform === 'win32' ? platform : 'linux'
  const name = runtime.commands[0] === command ? runtime.name : say`${runtime.name}, which brings ${command}`
  return say`Install ${name}: ${runtime.install[system]}. Then restart the server.`
}

/** The version in what a program prints; null when there is none. */
export function versionIn(text: string): string | null {
  return /(?<![\d.])(\d+\.\d+(?:\.\d+)?)/.exec(text)?.[1] ?? null
}

export function isOlder(version: string, than: string): boolean {
  const [a, b] = [version, than].map((text) => text.split('.').map(Number))
  for (let index = 0; index < 3; index++) {
    const difference = (a?.[index] ?? 0) - (b?.[index] ?? 0)
    if (difference !== 0) return difference < 0
  }
  return false
}
