import { isDeepStrictEqual } from 'node:util'
import { parse } from 'jsonc-parser'
import type { FileChange } from '../../contract/push.ts'
import { MANIFEST, type Bundle } from '../bundle.ts'
import { CONFIG_FILES, type Installed } from './inspect.ts'
import { publishedText } from './published-config.ts'
import { textDiff } from './text-diff.ts'

const inConfig = new Set<string>(CONFIG_FILES.map((name) => `config/${name}`))

/** By file: the release in use against the bundle, and the configuration of the hubs there against the published one. */
export function compareFiles({ manifest, files, config }: Installed, bundle: Bundle): FileChange[] {
  const there = new Map(Object.entries(manifest?.files ?? {}).map(([path, { sha256 }]) => [path, sha256]))
  const here = new Map(bundle.files.map((file) => [file.path, file]))
  // They tell of the others, and are others with each of them.
  for (const path of [MANIFEST, 'SHA256SUMS']) {
    there.delete(path)
    here.delete(path)
  }
  const changes: FileChange[] = []
  for (const path of new Set([...there.keys(), ...here.keys()])) {
    if (inConfig.has(path) || there.get(path) === here.get(path)?.sha256) continue
    const kind = !there.has(path) ? 'added' : !here.has(path) ? 'removed' : 'changed'
    const built = /^(?:hub|web)\//.test(path)
    const diff = built ? null : textDiff(files.get(path) ?? '', here.get(path)?.text ?? '')
    changes.push({ path, kind, group: built ? 'built' : 'generated', diff })
  }
  for (const name of CONFIG_FILES) {
    const [before, after] = [config.get(name), here.get(`config/${name}`)?.text ?? undefined]
    const [was, will] = [before, after].map((text) => (text === undefined ? undefined : publishedText(name, text)))
    if (was === will || will === undefined) continue
    const kind = was === undefined ? 'added' : 'changed'
    changes.push({ path: `config/${name}`, kind, group: 'config', diff: textDiff(was ?? '', will) })
  }
  return changes.sort((a, b) => groups.indexOf(a.group) - groups.indexOf(b.group) || (a.path < b.path ? -1 : 1))
}

const groups: readonly FileChange['group'][] = ['config', 'generated', 'built']

/**
 * Files of the configuration that are no longer what the release in use brought, with what was changed in them. With a bundle only
 * those that it would overwrite. In which order a hub wrote its settings does not count, as it does not for `ops/deploy.sh`.
 */
export function changedSince({ files, config }: Installed, bundle: Bundle | null): FileChange[] {
  return CONFIG_FILES.flatMap((name): FileChange[] => {
    const path = `config/${name}`
    const [brought, now] = [files.get(path), config.get(name)]
    const next = bundle?.files.find((file) => file.path === path)?.text ?? undefined
    if (now === undefined || (bundle === null && brought === undefined)) return []
    if ([brought, next].some((text) => text !== undefined && isDeepStrictEqual(parse(text), parse(now)))) return []
    return [
      {
        path,
        kind: brought === undefined ? 'added' : 'changed',
        group: 'config',
        diff: textDiff(publishedText(name, brought ?? ''), publishedText(name, now)),
      },
    ]
  })
}
