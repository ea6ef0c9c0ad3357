/** A failure of set-up that a person can do something about: what is wrong, and the line to run. */
export class SetupError extends Error {
  /**
   * @param {string} message what is wrong
   * @param {string} cure what to do about it
   */
  constructor(message, cure) {
    super(message)
    this.name = 'SetupError'
    this.cure = cure
  }
}

const NETWORK = 'the network did not answer'

/** What failing programs and system calls write, and what it means. */
const causes = [
  {
    signs: /ENOSPC|EDQUOT|no space left on device|disk quota exceeded/i,
    cause: 'the disk is full',
    cure: 'Free some space (about 2 GB are needed; see `df -h .`) and run this again.',
  },
  {
    signs: /EINTEGRITY|integrity checksum failed/i,
    cause: 'a downloaded package does not have the checksum in package-lock.json',
    cure: 'Run `npm cache clean --force` and try again. If it stays, do not trust that registry or proxy.',
  },
  {
    signs: /EUSAGE|can only install packages when your package\.json and package-lock\.json/i,
    cause: 'package.json and package-lock.json do not fit together',
    cure: 'Run `npm install`, check what changed in package-lock.json, and run this again.',
  },
  {
    signs: /EROFS|read-only file system/i,
    cause: 'the file system is read-only',
    cure: 'Use a copy of the repository in a folder that you may write to.',
  },
  {
    signs: /EACCES|EPERM|permission denied/i,
    cause: 'a file or folder may not be written',
    cure: (/** @type {string} */ evidence) => {
      const file = /(?:error path |permission denied, \w+ ')([^'\n]+)/i.exec(evidence)?.[1] ?? '.'
      return `Make it yours: sudo chown -R "$(id -un)" '${file}'`
    },
  },
  {
    signs:
      /ENOTFOUND|ENOTCACHED|EAI_AGAIN|ECONNREFUSED|ECONNRESET|ETIMEDOUT|ENETUNREACH|EHOSTUNREACH|fetch failed|ERR_SOCKET_TIMEOUT|UND_ERR_CONNECT|Temporary failure resolving|Could not resolve|Could not connect|Failed to fetch|network request/i,
    cause: NETWORK,
    cure: 'Check the connection. Behind a proxy run `npm config set proxy <url>`, with a mirror `npm config set registry <url>`.',
  },
  {
    signs: /self[- ]signed certificate|UNABLE_TO_VERIFY|CERT_|unable to get local issuer/i,
    cause: 'the certificate of the server is not trusted (often a company proxy)',
    cure: 'Run `npm config set cafile /path/to/your-ca.pem` and try again.',
  },
]

/**
 * The failure of `what`, explained from what was written or thrown.
 * @param {string} what the action, as in "Installing the npm packages"
 * @param {string} evidence output of the program, or the error's text
 */
export function diagnose(what, evidence) {
  const known = causes.find(({ signs }) => signs.test(evidence))
  if (known) {
    const cure = typeof known.cure === 'string' ? known.cure : known.cure(evidence)
    return new SetupError(`${what} failed: ${known.cause}.`, cure)
  }
  const lines = evidence.split('\n').filter((line) => line.trim() !== '')
  return new SetupError(
    `${what} failed.${lines.length > 0 ? `\n${lines.slice(-8).join('\n')}` : ''}`,
    'The lines above come from the program that failed. When they do not help, please report them.',
  )
}

/**
 * Whether the output of a failed program says that the network is the cause.
 * @param {string} evidence
 */
export function isNetworkFailure(evidence) {
  return causes.find(({ signs }) => signs.test(evidence))?.cause === NETWORK
}

/**
 * Prints the cause and the cure, and nothing of the stack, for failures that we know.
 * @param {unknown} error
 */
export function report(error) {
  const known =
    error instanceof SetupError
      ? error
      : error instanceof Error && 'code' in error
        ? diagnose('Set-up', `${String(error.code)} ${error.message}`)
        : null
  if (!known) {
    console.error(error)
    return
  }
  console.error(`\n✗ ${known.message}\n  → ${known.cure}`)
}
