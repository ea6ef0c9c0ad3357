/** Where a row of a list leads: the router's own way to a path, of names, takes longer than all else of a row. */
const pathOf = (...parts: readonly string[]): string => parts.map((part) => `/${encodeURIComponent(part)}`).join('')

export const serverPath = (server: string): string => pathOf('servers', server)
export const toolPath = (server: string, tool: string): string => pathOf('tools', server, tool)
export const requestPath = (id: number): string => pathOf('activity', String(id))
