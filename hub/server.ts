import { setFlagsFromString } from 'node:v8'

/**
 * The entry of server mode. V8 takes what was compiled under other flags for foreign, and Node's own modules were compiled under
 * none: with the flags that the launchers give for the heap, which is made by now, each of them would be compiled anew.
 */
if (globalThis.gc !== undefined)
  for (const flag of ['--no-expose-gc', '--initial-old-space-size=0']) setFlagsFromString(flag)

await import('./serve.ts')
