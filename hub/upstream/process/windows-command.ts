/** What `spawn` is given for a program on Windows. */
export interface WindowsCommand {
  file: string
  args: string[]
  /** The arguments are one command line that is already quoted for cmd.exe. */
  verbatim: boolean
}

/**
 * `.exe` and `.com` start by themselves. Batch files, which npx, uvx and most shims are, need cmd.exe: Node refuses to spawn
 * them (CVE-2024-27980) because cmd.exe parses their arguments once more.
 */
export function windowsCommand(path: string, args: readonly string[], comSpec: string): WindowsCommand {
  if (!/\.(cmd|bat)$/i.test(path)) return { file: path, args: [...args], verbatim: false }
  const line = [escapeMeta(path), ...args.map(quoteForBatch)].join(' ')
  return { file: comSpec, args: ['/d', '/s', '/c', `"${line}"`], verbatim: true }
}

/** Characters that mean something to cmd.exe outside of quotes it trusts. */
const META = /([()\][%!^"`<>&|;, *?])/g
const escapeMeta = (text: string): string => text.replace(META, '^$1')

/** An argument that survives cmd.exe's parsing twice (the shim passes it on with `%*`) and then the program's own. */
export function quoteForBatch(arg: string): string {
  if (/[\r\n\0]/.test(arg)) throw new Error('cmd.exe cannot pass on an argument with a line break')
  // Backslashes before a quote, and at the end before ours, are doubled (CommandLineToArgvW).
  const quoted = `"${arg.replace(/(\\*)"/g, '$1$1\\"').replace(/(\\*)$/, '$1$1')}"`
  return escapeMeta(escapeMeta(quoted))
}
