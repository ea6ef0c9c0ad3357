import { Parser, type ReadEntry } from 'tar'
import { z } from 'zod'
import { HubError } from '../../hub-error.ts'
import { say } from '../../say.ts'
import { targetSchema, type Target } from '../../contract/publish.ts'
import { MANIFEST } from '../bundle.ts'
import type { Places } from './places.ts'
import { quote, type Shell } from './shell.ts'

/** What is on a target. */
export interface Found {
  system: string | null
  inUse: string | null
  previous: string | null
  releases: string[]
  freeBytes: number
  /** Size and hash of what is there of an archive that is uploaded. */
  part: { bytes: number; sha256: string } | null
  versions: Record<'node' | 'nginx' | 'pm2' | 'docker' | 'systemd', string | null>
}

/** The release in use, without what was built, and the configuration of its hubs. */
export interface Installed {
  manifest: Manifest | null
  /** Generated files by their paths in the bundle. */
  files: Map<string, string>
  /** What is in `config/` now: servers, system, profiles. No file there that holds secrets is read. */
  config: Map<ConfigFile, string>
}

export const CONFIG_FILES = ['servers.json', 'system.json', 'profiles.json'] as const
export type ConfigFile = (typeof CONFIG_FILES)[number]

const manifestSchema = z.object({
  version: z.string(),
  release: z.string(),
  // Written by another version of this program, perhaps: what is not understood is not compared.
  target: z.unknown().transform((value): Target | null => targetSchema.safeParse(value).data ?? null),
  files: z.record(z.string(), z.object({ sha256: z.string() })),
})
export type Manifest = z.infer<typeof manifestSchema>

const MAX_FILE = 4 * 1_048_576

/** The programs are those that the scripts of `ops/` use: each can be another one by a variable of its name. */
export async function inspect(shell: Shell, { root, releases, part }: Places): Promise<Found> {
  const { stdout } = await shell.must(
    say`The target could not be looked at`,
    `
tell() { printf '%s\\t%s\\n' "$1" "$2"; }
tell system "$(. /etc/os-release 2>/dev/null && printf %s "$PRETTY_NAME")"
for link in current previous; do [ -e ${quote(root)}/$link ] && tell $link "$(basename "$(readlink -f ${quote(root)}/$link)")"; done
for manifest in ${quote(releases)}/*/${MANIFEST}; do [ -e "$manifest" ] && tell release "$(basename "$(dirname "$manifest")")"; done
place=${quote(root)}; while [ ! -d "$place" ]; do place=$(dirname "$place"); done
tell free "$(df -Pk "$place" | awk 'NR == 2 { print $4 }')"
[ -f ${quote(part)} ] && tell part "$(stat -c %s ${quote(part)}) $(sha256sum <${quote(part)})"
tell node "$("\${NODE:-node}" --version 2>/dev/null)"
tell nginx "$("\${NGINX:-nginx}" -v 2>&1 | sed -n 's/.*nginx\\///p')"
tell docker "$("\${DOCKER:-docker}" version --format '{{.Client.Version}}' 2>/dev/null)"
tell systemd "$("\${SYSTEMCTL:-systemctl}" --version 2>/dev/null | awk 'NR == 1 { print $2 }')"
tell pm2 "$("\${PM2:-pm2}" -v -- 2>/dev/null | tail -n 1)"
exit 0`,
  )
  const told = stdout
    .toString()
    .split('\n')
    .map((line) => line.split('\t'))
  const value = (name: string): string | null => told.find(([key]) => key === name)?.[1]?.trim() || null
  const version = (name: string): string | null => /\d+(?:\.\d+)*/.exec(value(name) ?? '')?.[0] ?? null
  const [bytes, sha256 = ''] = value('part')?.split(/\s+/) ?? []
  return {
    part: bytes === undefined ? null : { bytes: Number(bytes), sha256 },
    system: value('system'),
    inUse: value('current'),
    previous: value('previous'),
    releases: told.flatMap(([key, name]) => (key === 'release' && name !== undefined ? [name] : [])),
    freeBytes: Number(value('free') ?? 0) * 1_024,
    versions: {
      node: version('node'),
      nginx: version('nginx'),
      pm2: version('pm2'),
      docker: version('docker'),
      systemd: version('systemd'),
    },
  }
}

/** Reads what can be compared, in one go. `.env`, `data/` and what else holds secrets is not among it. */
export async function readInstalled(shell: Shell, places: Places, inUse: string | null): Promise<Installed> {
  const installed: Installed = { manifest: null, files: new Map(), config: new Map() }
  if (inUse === null) return installed
  const release = `releases/${inUse}`
  const { stdout } = await shell.must(
    say`The files on the target could not be read`,
    `cd ${quote(places.root)} || exit 1
set -- ${quote(release)}
for name in ${CONFIG_FILES.join(' ')}; do [ -f "config/$name" ] && [ ! -h "config/$name" ] && set -- "$@" "config/$name"; done
tar -cf - --exclude=${quote(`${release}/hub`)} --exclude=${quote(`${release}/web`)} "$@"`,
  )
  for (const [path, content] of await unpack(stdout)) {
    const inConfig = CONFIG_FILES.find((name) => path === `config/${name}`)
    if (inConfig !== undefined) installed.config.set(inConfig, content)
    else if (path === `${release}/${MANIFEST}`) installed.manifest = parseManifest(content)
    else if (path.startsWith(`${release}/`)) installed.files.set(path.slice(release.length + 1), content)
  }
  return installed
}

async function unpack(archive: Buffer): Promise<[string, string][]> {
  const files: [string, string][] = []
  await new Promise<void>((resolve, reject) => {
    const parser = new Parser({
      onReadEntry: (entry: ReadEntry) => {
        if (entry.type !== 'File' || entry.size > MAX_FILE) {
          entry.resume()
          return
        }
        const chunks: Buffer[] = []
        entry.on('data', (chunk: Buffer) => chunks.push(chunk))
        entry.on('end', () => files.push([entry.path, Buffer.concat(chunks).toString('utf8')]))
      },
    })
    parser.on('end', resolve)
    parser.on('error', reject)
    parser.end(archive)
  }).catch((error: unknown) => {
    throw new HubError('HUB_DEPLOY_FAILED', say`The files on the target could not be read: ${String(error)}`)
  })
  return files
}

function parseManifest(text: string): Manifest | null {
  try {
    return manifestSchema.safeParse(JSON.parse(text)).data ?? null
  } catch {
    return null
  }
}
