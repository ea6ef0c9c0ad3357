import { saying, type Said } from '../../say.ts'

/** What is wrong with a server, as far as its own words tell. */
export interface Diagnosis {
  cause: Said
  cure: Said
}

interface Pattern {
  when: RegExp
  cause: (...found: string[]) => Said
  /** The cause where the pattern names nothing. */
  bare?: () => Said
  cure: (...found: string[]) => Said
}

/** `{0}` stands for what the pattern found. The first that fits counts: the particular come before the general. */
const patterns: readonly Pattern[] = [
  // npm and npx
  {
    when: /npm (?:ERR!|error)[^\n]*404[^\n]*?(?:'|registry\.[^/\s]+\/)((?:@|%40)?[\w.-]+(?:(?:\/|%2[fF])[\w.-]+)?)/,
    cause: saying('the package {0} is not in the npm registry'),
    cure: saying('Check the spelling of the package; a private one needs its registry in .npmrc.'),
  },
  {
    when: /npm (?:ERR!|error) (?:code )?ETARGET|No matching version found for (\S+?)\.?(?:\s|$)/,
    cause: saying('the version that is asked for does not exist in the npm registry ({0})'),
    bare: saying('the version that is asked for does not exist in the npm registry'),
    cure: saying('Correct the version behind @, or leave it out.'),
  },
  {
    when: /npm (?:ERR!|error) (?:code |network )?(?:ENOTFOUND|EAI_AGAIN|ETIMEDOUT|ECONNREFUSED|ECONNRESET|ENETUNREACH)\b|npm (?:ERR!|error) network/,
    cause: saying('npm cannot reach its registry'),
    cure: saying('Check the network connection, the proxy (HTTPS_PROXY) and the registry in .npmrc.'),
  },
  {
    when: /npm (?:ERR!|error) (?:code )?(?:SELF_SIGNED_CERT|UNABLE_TO_(?:VERIFY|GET)|CERT_|DEPTH_ZERO)/,
    cause: saying('npm does not trust the certificate of its registry'),
    cure: saying('Set NODE_EXTRA_CA_CERTS to the file of your organisation’s authority.'),
  },
  {
    when: /could not determine executable to run/,
    cause: saying('the package brings no program'),
    cure: saying(
      'Check the name: this package is a library, or its program has another name (npx -p package program).',
    ),
  },
  {
    when: /npm (?:ERR!|error) (?:code )?(?:EACCES|EPERM)\b/,
    cause: saying('npm may not write to its cache'),
    cure: saying('Give the folder ~/.npm back to your user (sudo chown -R $(id -u) ~/.npm).'),
  },
  {
    when: /npm (?:ERR!|error) (?:code )?ENOSPC\b|No space left on device/,
    cause: saying('the disk is full'),
    cure: saying('Free some space.'),
  },
  {
    when: /(?:Unsupported engine|EBADENGINE|requires Node(?:\.js)? (?:version )?[>=v\d]|The engine "node" is incompatible)/i,
    cause: saying('it needs another version of Node.js'),
    cure: saying('Install the current LTS version of Node.js (https://nodejs.org).'),
  },
  // uv and Python
  {
    when: /([\w.-]+) was not found in the package registry/,
    cause: saying('the package {0} is not in the Python registry'),
    cure: saying('Check the spelling of the package; one that is not on PyPI needs --from with its address.'),
  },
  {
    when: /No solution found when resolving|no version of ([\w.-]+)/,
    cause: saying('there is no version of the package that fits'),
    cure: saying('Correct the version that is asked for, or the version of Python (uvx --python 3.12 …).'),
  },
  {
    when: /(?:Failed to fetch|error sending request for url|Could not connect|dns error)[^\n]*(?:pypi|https?:)/i,
    cause: saying('uv cannot reach the Python registry'),
    cure: saying('Check the network connection, the proxy (HTTPS_PROXY) and the index (UV_INDEX_URL).'),
  },
  {
    when: /No interpreter found for ([^\n]+?)(?: in|$)/m,
    cause: saying('there is no {0}'),
    cure: saying('Install it (uv python install), or ask for another version with --python.'),
  },
  {
    when: /No module named ['"]?([\w.]+)/,
    cause: saying('the Python module {0} is missing'),
    cure: saying('Install it into the Python that runs the server (pip install), or start the server with uvx.'),
  },
  {
    when: /An executable named `?([\w.-]+)`? is not provided by package/,
    cause: saying('the package has no program {0}'),
    cure: saying('Name the package apart: uvx --from package program.'),
  },
  // Node
  {
    when: /Cannot find (?:module|package) '([^']+)'/,
    cause: saying('the module {0} is missing'),
    cure: saying('Install the server’s packages (npm install) and build it, or correct the path to its file.'),
  },
  {
    when: /(?:node|bun|deno): bad option: (\S+)|error: unexpected argument '([^']+)'/,
    cause: saying('it does not know the option {0}'),
    cure: saying('Correct args; options of the server stand behind its name.'),
  },
  // Docker
  {
    when: /Cannot connect to the Docker daemon|docker daemon is not running|error during connect/i,
    cause: saying('Docker does not run'),
    cure: saying('Start Docker, then restart the server.'),
  },
  {
    when: /permission denied while trying to connect to the Docker (?:daemon|API)/i,
    cause: saying('your user may not use Docker'),
    cure: saying('Add your user to the group docker and sign in anew.'),
  },
  {
    when: /(?:pull access denied for|manifest for|repository) ([\w./:-]+)[^\n]*(?:not exist|not found|unknown|denied)/i,
    cause: saying('the image {0} cannot be had'),
    cure: saying('Check the name and tag of the image; sign in (docker login) for a private one.'),
  },
  // Deno
  {
    when: /NotCapable[^\n]*Requires (\w+) access|PermissionDenied: Requires (\w+) access/,
    cause: saying('Deno does not allow it {0} access'),
    cure: saying('Add the permission to args, e.g. --allow-net, --allow-env, --allow-read.'),
  },
  // Anything
  {
    when: /(?:EADDRINUSE|address already in use)(?:[^\n]*:(\d+)\b)?/i,
    cause: saying('a port that it wants is in use ({0})'),
    bare: saying('a port that it wants is in use'),
    cure: saying('End the program that holds the port, or give the server another one.'),
  },
  {
    when: /\/usr\/bin\/env: [‘'"]?([\w.-]+)[’'"]?: No such file/,
    cause: saying('{0}, which runs it, is not installed or not in PATH'),
    cure: saying('Install it; the doctor shows the PATH that the server gets.'),
  },
  {
    when: /(?:sh: \d+: |bash: |zsh: |: )?([\w.-]+): (?:command )?not found/,
    cause: saying('it calls {0}, which is not there'),
    cure: saying('Install it; the doctor shows the PATH that the server gets.'),
  },
  {
    when: /version `(GLIBC\w*_[\d.]+)' not found/,
    cause: saying('it is built for a newer system ({0})'),
    cure: saying('Use a build for this system, or run the server in a container.'),
  },
  {
    when: /\b([A-Z][A-Z0-9]*(?:_[A-Z0-9]+)+)\b[^\n]{0,60}?(?:is |was )?(?:not (?:set|found|provided|defined)|required|missing|must be (?:set|provided))/,
    cause: saying('the variable {0} is not set'),
    cure: saying('Set it in env; a secret as ${secret:{0}}.'),
  },
  {
    when: /(?:missing|required?|provide|set|specify)[^\n]{0,60}?\b(?:environment variable|env var)?[^\n]{0,20}?\b([A-Z][A-Z0-9]*(?:_[A-Z0-9]+)+)\b/i,
    cause: saying('the variable {0} is not set'),
    cure: saying('Set it in env; a secret as ${secret:{0}}.'),
  },
  {
    when: /(?:missing|invalid|provide|required?)\b[^\n]{0,40}\b(?:api[ _-]?key|access[ _-]?token|auth(?:entication|orization)? token|credentials)|\bno (?:valid )?api[ _-]?key/i,
    cause: saying('it has no valid key or token'),
    cure: saying('Give it one, as its documentation says: in env or args, as ${secret:NAME}.'),
  },
  {
    when: /(?:ENOTFOUND|EAI_AGAIN|getaddrinfo)\b[^\n]*?([\w-]+(?:\.[\w-]+)+)|Could not resolve host:? ?(\S+)/,
    cause: saying('the host {0} cannot be found'),
    cure: saying('Check the network connection and the address in args or env.'),
  },
  {
    when: /connect ECONNREFUSED ([\d.:[\]a-f]+)|Connection refused/,
    cause: saying('nothing answers where it connects to ({0})'),
    bare: saying('nothing answers where it connects to'),
    cure: saying('Start what it connects to, or correct the address in args or env.'),
  },
  {
    when: /\bfetch failed\b|\bnetwork error\b|\bsocket hang up\b/i,
    cause: saying('it cannot reach a service that it needs'),
    cure: saying('Check the network connection, and the address and proxy in args or env.'),
  },
  {
    when: /^\s*(?:usage|error: (?:the following arguments are required|missing required)):?/im,
    cause: saying('its arguments are not what it expects'),
    cure: saying('Correct args, as the lines below say.'),
  },
  {
    when: /(?:EACCES|permission denied)[^\n]*?['"]?(\/[^\s'",]+)/i,
    cause: saying('it may not use {0}'),
    cure: saying('Give your user access to it, or choose another path.'),
  },
  {
    when: /(?:ENOENT|No such file or directory)[^\n]*?['"](\/[^'"]+)/,
    cause: saying('{0} does not exist'),
    cure: saying('Correct the path in args, env or cwd.'),
  },
  {
    when: /JavaScript heap out of memory|MemoryError|Killed process|Cannot allocate memory/,
    cause: saying('it ran out of memory'),
    cure: saying('Give it less to do, or more memory.'),
  },
]

/** Some patterns take a time that grows with the square of a line's length; what they look for stands in shorter ones. */
const MAX_LINE = 1_000

/** Reads the last lines of a server that ended; null when they say nothing that is known. */
export function diagnose(lines: readonly string[]): Diagnosis | null {
  const text = lines.map((line) => line.slice(0, MAX_LINE)).join('\n')
  for (const { when, cause, bare, cure } of patterns) {
    const match = when.exec(text)
    if (match === null) continue
    const found = decode(match.slice(1).find(Boolean) ?? '')
    return found === '' ? { cause: (bare ?? cause)(), cure: cure() } : { cause: cause(found), cure: cure(found) }
  }
  return null
}

/** npm names a scoped package as its registry's URL has it. */
const decode = (text: string): string => text.replaceAll(/%2f/gi, '/').replaceAll(/%40/g, '@')
