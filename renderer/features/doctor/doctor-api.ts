import {
  doctorProgressSchema,
  runtimesSchema,
  type DoctorProgress,
  type DoctorReport,
  type ServerConfig,
} from '../../../hub/contract/index.ts'
import { request, requestLines } from '../../lib/client.ts'
import { ApiError } from '../../lib/problem.ts'

export const doctorApi = {
  examine: async (
    name: string,
    config: ServerConfig | undefined,
    signal: AbortSignal,
    onProgress: (progress: DoctorProgress) => void,
  ): Promise<DoctorReport> => {
    const route = 'POST /api/servers/:name/doctor'
    const input = { params: { name }, body: config === undefined ? {} : { config }, signal }
    const reports: DoctorReport[] = []
    await requestLines(route, doctorProgressSchema, input, (progress) => {
      if (progress.type === 'report') reports.push(progress.report)
      else onProgress(progress)
    })
    const [report] = reports
    if (report !== undefined) return report
    throw new ApiError({ kind: 'unexpected', request: route, message: 'The answer ended before its report' })
  },
  refreshRuntimes: () => request('POST /api/runtimes/refresh', runtimesSchema),
}
