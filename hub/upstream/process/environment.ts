/** Names of the hub's environment that a server may need and that hold no secret. */
const passedOn = {
  win32: [
    'ALLUSERSPROFILE',
    'APPDATA',
    'COMMONPROGRAMFILES',
    'COMSPEC',
    'HOMEDRIVE',
    'HOMEPATH',
    'LOCALAPPDATA',
    'NUMBER_OF_PROCESSORS',
    'OS',
    'PATHEXT',
    'PROCESSOR_ARCHITECTURE',
    'PROGRAMDATA',
    'PROGRAMFILES',
    'SYSTEMDRIVE',
    'SYSTEMROOT',
    'TEMP',
    'TMP',
    'USERDOMAIN',
    'USERNAME',
    'USERPROFILE',
    'WINDIR',
  ],
  posix: [
    'HOME',
    'LOGNAME',
    'SHELL',
    'TERM',
    'USER',
    'LANG',
    'LC_ALL',
    'LC_CTYPE',
    'TZ',
    'TMPDIR',
    'XDG_RUNTIME_DIR',
    'XDG_CONFIG_HOME',
    'XDG_CACHE_HOME',
    'XDG_DATA_HOME',
    'DISPLAY',
    'WAYLAND_DISPLAY',
    'XAUTHORITY',
    'DBUS_SESSION_BUS_ADDRESS',
  ],
  /** How to reach the network is true of the machine, not of one program. */
  both: [
    'SSL_CERT_FILE',
    'SSL_CERT_DIR',
    'NODE_EXTRA_CA_CERTS',
    'HTTP_PROXY',
    'HTTPS_PROXY',
    'NO_PROXY',
    'http_proxy',
    'https_proxy',
    'no_proxy',
  ],
}

/** The few variables that a server process gets besides those of its entry; never the hub's whole environment. */
export function minimalEnvironment(
  source: Readonly<Record<string, string | undefined>>,
  path: string,
  platform: NodeJS.Platform,
): Record<string, string> {
  const env: Record<string, string> = { PATH: path }
  for (const name of [...passedOn[platform === 'win32' ? 'win32' : 'posix'], ...passedOn.both]) {
    const value = source[name]
    // A value that begins with () is an exported shell function, which some shells execute.
    if (value !== undefined && !value.startsWith('()')) env[name] = value
  }
  return env
}

/** `over` on top of `base`. On Windows `Path` and `PATH` are one variable, and two would leave to chance which counts. */
export function mergeEnvironment(
  base: Readonly<Record<string, string>>,
  over: Readonly<Record<string, string>>,
  platform: NodeJS.Platform,
): Record<string, string> {
  if (platform !== 'win32') return { ...base, ...over }
  const replaced = new Set(Object.keys(over).map((name) => name.toUpperCase()))
  const kept = Object.entries(base).filter(([name]) => !replaced.has(name.toUpperCase()))
  return { ...Object.fromEntries(kept), ...over }
}

/** A variable as the platform finds it. */
export function variableOf(env: Readonly<Record<string, string>>, name: string, platform: NodeJS.Platform): string {
  if (platform !== 'win32') return env[name] ?? ''
  return Object.entries(env).find(([key]) => key.toUpperCase() === name.toUpperCase())?.[1] ?? ''
}
