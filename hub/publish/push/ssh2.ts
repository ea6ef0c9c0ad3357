import type * as Ssh2 from 'ssh2'

/** The library, loaded by the first run that connects: a hub that pushes nothing does not carry it. */
export const ssh2 = async (): Promise<typeof Ssh2> => (await import('ssh2')).default
