import { writeFile } from 'node:fs/promises'
import path from 'node:path'
import { say } from '../../say.ts'
import type { Bundle } from '../bundle.ts'
import { findTool, runTool } from '../run-tool.ts'
import { failed, notChecked, passed, textOf, TOOL_TIMEOUT_MS, type Checker } from './outcome.ts'

/** Where the text of a site is in an artifact. */
type Reader = (bundle: Bundle, artifact: string) => { text: string; linesBefore: number }

const wholeFile: Reader = (bundle, artifact) => ({ text: textOf(bundle, artifact), linesBefore: 0 })

/** The site that a ConfigMap holds. */
export const siteInConfigMap: Reader = (bundle, artifact) => {
  const whole = textOf(bundle, artifact)
  const [before = '', block = ''] = whole.split(/(?<=^ {2}nginx\.conf: \|\n)/m)
  return { text: block.replace(/^ {4}/gm, ''), linesBefore: before.split('\n').length - 1 }
}

function versionNumber(parts: string[]): number {
  return parts.reduce((sum, part) => sum * 1_000 + Number(part), 0)
}

/**
 * `nginx -t` on the artifact itself. Only what cannot exist here is replaced, line by line: addresses by sockets in a folder
 * of our own (ports below 1024 need root), the certificate by a throw-away one, names of containers by loopback.
 */
export function checkNginx(artifact: string, around = { before: '', after: '' }, read: Reader = wholeFile): Checker {
  return async (bundle, folder) => {
    const nginx = await findTool('nginx')
    if (nginx === null) return notChecked(artifact, 'nginx', say`nginx is not installed here.`)
    const version = /nginx\/(\d+)\.(\d+)\.(\d+)/.exec(
      (await runTool(nginx, ['-v'], { cwd: folder, timeoutMs: TOOL_TIMEOUT_MS })).output,
    )
    const tool = `nginx ${version?.slice(1).join('.') ?? '(version unknown)'}`
    const { text, linesBefore } = read(bundle, artifact)
    const number = versionNumber(version?.slice(1) ?? [])
    const needed = /^\s*sticky learn/m.test(text)
      ? '1.29.6'
      : /^\s*server \S+.* resolve/m.test(text)
        ? '1.27.3'
        : /^\s*http2 on;/m.test(text)
          ? '1.25.1'
          : '1.22.0'
    if (number < versionNumber(needed.split('.')))
      return notChecked(
        artifact,
        tool,
        say`This file is for nginx ${needed} or later, and the one installed here is older.`,
      )
    const openssl = await findTool('openssl')
    if (openssl === null)
      return notChecked(
        artifact,
        tool,
        say`openssl is not installed here, and nginx checks nothing without a certificate.`,
      )

    const certificate = path.join(folder, 'cert.pem')
    const key = path.join(folder, 'key.pem')
    const made = await runTool(
      openssl,
      [
        'req',
        '-x509',
        '-newkey',
        'ec',
        '-pkeyopt',
        'ec_paramgen_curve:P-256',
        '-nodes',
        '-days',
        '1',
        '-subj',
        '/CN=check',
        '-keyout',
        key,
        '-out',
        certificate,
      ],
      { cwd: folder, timeoutMs: TOOL_TIMEOUT_MS },
    )
    if (made.code !== 0) return notChecked(artifact, tool, say`openssl made no certificate: ${made.output}`)
    const local = text
      .replace(
        /^(\s*listen )(\S+?)([ ;])/gm,
        (_, start: string, address: string, end: string) =>
          `${start}unix:${path.join(folder, address.replace(/\W/g, '_'))}.sock${end}`,
      )
      .replace(/^(\s*ssl_certificate ).*;/gm, `$1${certificate};`)
      .replace(/^(\s*ssl_certificate_key ).*;/gm, `$1${key};`)
      .replace(/^(\s*(?:access|error)_log )\/\S+/gm, '$1check.log')
      .replace(/^(\s*server )hub[\w-]*:/gm, '$1127.0.0.1:')
      .replace(/^(\s*)include \/tmp\/hubs\.conf;/gm, '$1server 127.0.0.1:3000;')
    const file = path.join(folder, 'nginx.conf')
    await writeFile(file, `${around.before}${local}${around.after}`)
    const result = await runTool(nginx, ['-t', '-p', `${folder}/`, '-c', file], {
      cwd: folder,
      timeoutMs: TOOL_TIMEOUT_MS,
    })
    const warnings = new Set(
      Array.from(
        result.output.matchAll(/\[warn\] (?:\d+#\d+: )?(.*?)(?: in \S+)?$/gm),
        ([, text = '']) => ` Warning: ${text}.`,
      ),
    )
    if (result.code === 0)
      return passed(
        artifact,
        tool,
        say`nginx -t accepts it, with a throw-away certificate in the place of the real one.${[...warnings].join('')}`,
      )
    const fault = /\[emerg\] (.*?)(?: in \S+:(\d+))?$/m.exec(result.output)
    return failed(
      artifact,
      tool,
      fault?.[1] ?? (result.code === null ? say`nginx -t did not end in time.` : result.output),
      {
        line: fault?.[2] === undefined ? null : Number(fault[2]) - (around.before === '' ? 0 : 1) + linesBefore,
        cure: say`Report this as a fault of MCP Hub.`,
      },
    )
  }
}
