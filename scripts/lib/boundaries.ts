import path from 'node:path'
import type { Rule } from 'eslint'
import type { CallExpression, ImportExpression, Node } from 'estree'

export interface Zone {
  /** Folder, or file, that the rule is about, from the repository's root. */
  readonly in: string
  readonly except?: readonly string[]
  /** Folders of ours that must not be imported. */
  readonly not?: readonly string[]
  /** Of those folders, what may be imported all the same. */
  readonly but?: readonly string[]
  /** Packages that must not be imported; `node:` stands for Node's own modules. */
  readonly notPackages?: readonly string[]
  /** The only packages that may be imported. */
  readonly onlyPackages?: readonly string[]
}

/** Who may import whom at run time. Types are free: they leave no trace in what is built. */
export const zones: readonly Zone[] = [
  { in: 'hub', not: ['main', 'preload', 'renderer'], notPackages: ['electron', 'vue'] },
  { in: 'hub/catalog', not: ['hub/api'] },
  { in: 'hub/upstream', not: ['hub/api'] },
  { in: 'hub/gateway', not: ['hub/api'] },
  { in: 'main', not: ['renderer', 'preload'], but: ['preload/contract.ts', 'renderer/locales'], notPackages: ['vue'] },
  {
    in: 'preload',
    not: ['main', 'hub', 'renderer'],
    but: ['hub/contract'],
    notPackages: ['node:'],
  },
  {
    in: 'renderer',
    not: ['main', 'hub', 'preload'],
    but: ['hub/contract', 'preload/contract.ts'],
    notPackages: ['electron', 'node:'],
  },
  { in: 'hub/contract', not: ['hub'], but: ['hub/contract'], onlyPackages: ['zod'] },
  { in: 'preload/contract.ts', not: ['preload', 'hub'], but: ['hub/contract'], onlyPackages: ['zod'] },
]

const within = (file: string, folder: string): boolean => file === folder || file.startsWith(`${folder}/`)

/** Why `file` may not import `specifier`, or null. Both paths from the repository's root. */
export function violation(file: string, specifier: string): string | null {
  const relative = specifier.startsWith('.')
  const target = relative
    ? path.posix.normalize(path.posix.join(path.posix.dirname(file), specifier)).replace(/\?.*$/, '')
    : specifier
  for (const zone of zones) {
    if (!within(file, zone.in) || zone.except?.includes(file)) continue
    if (relative) {
      const barred = zone.not?.find((folder) => within(target, folder))
      if (barred && !zone.but?.some((folder) => within(target, folder))) {
        return `${zone.in} must not import ${barred} (${target}).`
      }
      continue
    }
    const matches = (name: string): boolean =>
      name === 'node:' ? target.startsWith('node:') : target === name || target.startsWith(`${name}/`)
    if (zone.notPackages?.some(matches)) return `${zone.in} must not import ${target}.`
    if (zone.onlyPackages && !zone.onlyPackages.some(matches)) {
      return `${zone.in} may import only ${zone.onlyPackages.join(', ')}, not ${target}.`
    }
  }
  return null
}

/** ESLint rule over `violation`, for static and dynamic imports. */
export const boundariesRule: Rule.RuleModule = {
  meta: { type: 'problem', schema: [] },
  create(context) {
    const file = path.relative(context.cwd, context.filename).replaceAll(path.sep, '/')
    function check(node: Node, source: unknown): void {
      if (typeof source !== 'string') return
      const message = violation(file, source)
      if (message) context.report({ node, message })
    }
    function checkStatic(node: Node): void {
      const declaration = node as Node & {
        importKind?: string
        exportKind?: string
        source?: { value?: unknown } | null
      }
      if (declaration.importKind === 'type' || declaration.exportKind === 'type') return
      check(node, declaration.source?.value)
    }
    return {
      ImportDeclaration: checkStatic,
      ExportNamedDeclaration: checkStatic,
      ExportAllDeclaration: checkStatic,
      ImportExpression(node: ImportExpression) {
        check(node, 'value' in node.source ? node.source.value : null)
      },
      CallExpression(node: CallExpression) {
        const [first] = node.arguments
        if (node.callee.type === 'Identifier' && node.callee.name === 'require' && first?.type === 'Literal') {
          check(node, first.value)
        }
      },
    }
  },
}
