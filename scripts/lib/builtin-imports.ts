import type { Plugin } from 'vite'

const IMPORT = /^import (?:([\w$]+)(?:, )?)?(?:\{ ([^}]*) \})? from "(node:[\w/]+)";$/gm

/**
 * Takes what Node brings along without an `import`: that reads all that a module of Node exports, and with it loads what stands
 * behind each name. For node:http this is fetch and WebSocket, 50 ms and 14 MB; for node:util and node:crypto parsers and Web
 * Crypto, several milliseconds of every start.
 */
export const builtinImports: Plugin = {
  name: 'builtin-imports',
  applyToEnvironment: ({ name }) => name === 'hub',
  renderChunk: (code) => ({ code: code.replace(IMPORT, withoutImport), map: null }),
}

/** On the same line, so that source maps stay right. */
function withoutImport(_: string, whole: string | undefined, names: string | undefined, module: string): string {
  const taken = `process.getBuiltinModule("${module}")`
  const targets = [whole, names === undefined ? undefined : `{ ${names.replaceAll(' as ', ': ')} }`]
  return targets.flatMap((target) => (target === undefined ? [] : [`const ${target} = ${taken};`])).join(' ')
}
