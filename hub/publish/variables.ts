import { settingEntries } from '../config/settings.ts'

/** The environment of the hub in server mode, as `.env` holds it on a target, made there by `mcp-hub env`. What differs per instance is set by the process manager. */
export interface HubVariable {
  name: string
  why: { en: string; zh: string }
}

export const hubVariables: readonly HubVariable[] = [
  {
    name: 'JWT_SECRET',
    why: {
      en: 'Signs the sessions of the web UI; at least 32 characters.',
      zh: '为网页界面的会话签名；至少 32 个字符。',
    },
  },
  {
    name: 'MCP_HUB_TOKEN',
    why: {
      en: 'Bearer token with admin rights, for MCP clients and automation.',
      zh: '具有管理员权限的 Bearer 令牌，供 MCP 客户端和自动化使用。',
    },
  },
  {
    name: 'MCP_HUB_ADMIN_PASSWORD',
    why: {
      en: 'Password of the user admin, read only while there is no user yet. It can be emptied after the first start.',
      zh: '用户 admin 的密码，只在还没有用户时读取。首次启动后可以清空。',
    },
  },
]

/** Names with a meaning of their own: a server's secret never takes one, and a reference to one is not asked for in `.env`. */
export const reservedNames: ReadonlySet<string> = new Set([
  ...settingEntries.flatMap(([, { variable }]) => variable ?? []),
  ...['NODE_OPTIONS', 'PATH', 'HOME', 'USER', 'SHELL', 'LANG', 'TMPDIR'],
])
