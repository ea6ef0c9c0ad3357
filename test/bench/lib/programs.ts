import { mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import ts from 'typescript'

const bench = dirname(import.meta.dirname)
export const root = dirname(dirname(bench))
/** Inside node_modules, so that the programs find their packages. */
const compiled = join(root, 'node_modules', '.cache', 'mcp-hub-bench')

/** Compiles the programs once: Node stripping their types at each start would be measured as their start. */
export function compilePrograms(): void {
  const compilerOptions: ts.CompilerOptions = {
    target: ts.ScriptTarget.ESNext,
    module: ts.ModuleKind.ESNext,
    verbatimModuleSyntax: true,
    rewriteRelativeImportExtensions: true,
  }
  rmSync(hubCode, { recursive: true, force: true })
  for (const folder of ['programs', 'wire']) {
    mkdirSync(join(compiled, folder), { recursive: true })
    for (const file of readdirSync(join(bench, folder))) {
      const { outputText } = ts.transpileModule(readFileSync(join(bench, folder, file), 'utf8'), { compilerOptions })
      writeFileSync(join(compiled, folder, file.replace(/\.ts$/, '.js')), outputText)
    }
  }
  writeFileSync(join(compiled, 'package.json'), '{"type":"module"}')
}

/** Where our hub keeps its compiled code for its next start; empty at the start of a run. */
export const hubCode = join(compiled, 'hub')

export function program(name: 'upstream' | 'rawproxy' | 'sdk-hub'): string {
  return join(compiled, 'programs', `${name}.js`)
}
