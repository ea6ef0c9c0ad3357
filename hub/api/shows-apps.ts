import { APP_MIME_TYPE } from '../contract/app-frame.ts'

/** What a client declares that shows the user interfaces of tools (MCP Apps), as the hub's own page does. */
export const SHOWS_APPS = { extensions: { 'io.modelcontextprotocol/ui': { mimeTypes: [APP_MIME_TYPE] } } }
