import type { NextFunction, Request, Response } from 'express'
import type { Role } from '../contract/index.ts'
import { HubError } from '../hub-error.ts'
import { callerOf } from './routes.ts'

function allow(roles: readonly Role[], what: string) {
  return (_request: Request, response: Response, next: NextFunction): void => {
    const { role } = callerOf(response)
    if (!roles.includes(role))
      throw new HubError('HUB_FORBIDDEN', `This needs the role ${roles[0] ?? ''}; yours is ${role}`, {
        cure: `Ask an administrator to ${what}.`,
      })
    next()
  }
}

export const adminOnly = allow(['admin'], 'do it')
export const operatorOnly = allow(['operator', 'admin'], 'do it, or to make you an operator')
export const userOnly = allow(['user', 'operator', 'admin'], 'let you call tools')

/** What only the app on this computer may ask for: it touches the disk and the ports of its user. */
export function appOnly(_request: Request, response: Response, next: NextFunction): void {
  if (!callerOf(response).isApp) throw new HubError('HUB_FORBIDDEN', 'Only the desktop app may do this')
  next()
}
