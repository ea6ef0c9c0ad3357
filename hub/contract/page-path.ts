/**
 * Whether a path is one of the page's own places, and not a file that was built: those are in two folders, or beside the index.
 * The name of a server, a tool or a target, which a place may end with, can look like a file's.
 */
export const isPagePath = (path: string): boolean => !/^\/(assets|schemas)\/|^\/[^/]*\.[a-z0-9]+$/i.test(path)
