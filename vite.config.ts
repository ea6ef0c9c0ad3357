import { readFile } from 'node:fs/promises'
import { builtinModules } from 'node:module'
import path from 'node:path'
import tailwindcss from '@tailwindcss/vite'
import vue from '@vitejs/plugin-vue'
import { defineConfig, type EnvironmentOptions, type Plugin, type Rolldown } from 'vite'
import { builtinImports } from './scripts/lib/builtin-imports.ts'
import { startChunk } from './scripts/lib/start-chunk.ts'

type CodeSplittingGroup = Rolldown.CodeSplittingGroup

const root = import.meta.dirname
const from = (...parts: string[]): string => path.join(root, ...parts)

/** Schemas that only lazily loaded parts use must not be loaded, nor built, at each start. */
const lazySchemas = { moduleSideEffects: [{ test: /[\\/]hub[\\/]contract[\\/]/, sideEffects: false }] }

/** A target that runs under Node: everything but Electron and Node's own modules goes into the bundle. */
function nodeTarget(
  name: string,
  entries: string[],
  format: 'es' | 'cjs',
  groups: CodeSplittingGroup[] = [],
): EnvironmentOptions {
  return {
    consumer: 'server',
    resolve: { noExternal: true },
    build: {
      outDir: from('dist', name),
      emptyOutDir: true,
      target: 'node24',
      minify: false,
      sourcemap: true,
      copyPublicDir: false,
      rolldownOptions: {
        platform: 'node',
        input: Object.fromEntries(entries.map((entry) => [entry, from(name, `${entry}.ts`)])),
        external: ['electron', /^electron\//, ...builtinModules, /^node:/],
        treeshake: lazySchemas,
        output: {
          format,
          // Each start reads the whole of its chunk: what stands above functions is for people, who read the sources.
          comments: { jsdoc: false },
          entryFileNames: format === 'cjs' ? '[name].cjs' : '[name].js',
          chunkFileNames: 'chunks/[name]-[hash].js',
          ...(groups.length > 0 && { codeSplitting: { groups } }),
        },
      },
    },
  }
}

/**
 * ssh2 asks for native helpers, and does without where there are none, as in files that run on every system. It asks for its folder,
 * too, which nothing tells in an ES module; what it would find there is only a helper for PuTTY's agent on Windows.
 */
const ssh2InOneFile: Plugin = {
  name: 'ssh2-in-one-file',
  enforce: 'pre',
  resolveId: (id) => (/^cpu-features$|sshcrypto\.node$/.test(id) ? { id: path.basename(id), external: true } : null),
  transform: (code, id) =>
    /[\\/]ssh2[\\/]lib[\\/]/.test(id) ? { code: code.replaceAll('__dirname', "''"), map: null } : null,
}

/**
 * The library that speaks with apps uses more of zod than any page. With a copy of its own that is not in the first load; what zod is
 * configured to do is common to both, because it is kept in `globalThis`.
 */
const zodOfApps: Plugin = {
  name: 'zod-of-apps',
  enforce: 'pre',
  applyToEnvironment: ({ name }) => name === 'client',
  async resolveId(id, importer, options) {
    const isCopy = importer?.endsWith('?apps') === true
    const isWanted = /^zod(?:\/|$)/.test(id) && importer?.includes('/@modelcontextprotocol/') === true
    if (importer === undefined || (!isCopy && !isWanted)) return null
    const found = await this.resolve(id, importer.replace(/\?apps$/, ''), { ...options, skipSelf: true })
    return found === null ? null : { id: `${found.id}?apps`, moduleSideEffects: found.moduleSideEffects }
  },
  load: (id) => (id.endsWith('?apps') ? readFile(id.slice(0, -'?apps'.length), 'utf8') : null),
}

/** debug tries for it, to colour what nobody reads here. It is there for development only, and no part of the program. */
const withoutColours: Plugin = {
  name: 'without-colours',
  enforce: 'pre',
  resolveId: (id) => (id === 'supports-color' ? { id, external: true } : null),
}

/** Icons of one light component each. */
const lightIcons: Plugin = {
  name: 'light-icons',
  enforce: 'pre',
  applyToEnvironment: ({ name }) => name === 'client',
  resolveId: (id, importer) =>
    importer?.includes('/@lucide/vue/') === true && id.endsWith('/createLucideIcon.mjs')
      ? from('renderer', 'lib', 'lucide-icon.ts')
      : null,
}

/** Of package.json the programs only need this; the rest would be 9 kB of every start. */
const onlyVersion: Plugin = {
  name: 'only-version',
  enforce: 'pre',
  transform: (code, id) =>
    id === from('package.json')
      ? { code: JSON.stringify({ version: (JSON.parse(code) as { version: string }).version }), map: null }
      : null,
}

export default defineConfig({
  root: from('renderer'),
  // Absolute: a relative base breaks nested routes.
  base: '/',
  plugins: [vue(), tailwindcss(), ssh2InOneFile, withoutColours, zodOfApps, lightIcons, onlyVersion, builtinImports],
  // Whoever serves the page (the app's protocol handler, the hub, nginx) replaces this in each answer.
  html: { cspNonce: '__NONCE__' },
  environments: {
    client: {
      // Parts of the libraries that no page of ours uses.
      define: {
        __VUE_OPTIONS_API__: 'false',
        __VUE_I18N_LEGACY_API__: 'false',
        __VUE_I18N_FULL_INSTALL__: 'false',
      },
      build: {
        outDir: from('dist/renderer'),
        emptyOutDir: true,
        sourcemap: true,
        // Of lazy parts there are 3 kB; a stylesheet that comes later has all of the page's styles reckoned anew.
        cssCodeSplit: false,
        rolldownOptions: {
          treeshake: lazySchemas,
          output: {
            codeSplitting: {
              groups: [
                // In one chunk with its configuration, which must come before the first schema.
                {
                  name: 'zod',
                  test: /[\\/](?:node_modules[\\/]zod|renderer[\\/]lib[\\/]zod-config)[\\/.](?!.*\?apps$)/,
                  priority: 2,
                },
                {
                  name: 'vue',
                  test: /[\\/]node_modules[\\/](?:@vue|vue|vue-router|vue-i18n|@intlify|pinia)[\\/]/,
                  priority: 1,
                },
                // What many pages need: as dozens of tiny files it cost each page's opening more than it saved the first load. After
                // the others, or it would take them in.
                { name: 'shared', minShareCount: 6 },
              ],
            },
          },
        },
      },
    },
    main: nodeTarget('main', ['main'], 'es'),
    preload: nodeTarget('preload', ['preload'], 'cjs'),
    hub: nodeTarget('hub', ['utility', 'server', 'serve', 'cli', 'auth/password-worker'], 'es', [
      {
        name: startChunk(/[\\/]hub[\\/](?:utility|serve)\.ts$/, /password-worker\.ts$/),
        includeDependenciesRecursively: false,
      },
    ]),
  },
  builder: {
    // By name: the Vue plugin adds an `ssr` environment that we have no use for.
    async buildApp(builder) {
      for (const name of ['client', 'main', 'preload', 'hub']) {
        const environment = builder.environments[name]
        if (environment) await builder.build(environment)
      }
    },
  },
})
