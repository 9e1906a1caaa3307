/** Error codes of the OCI distribution specification 1.1, with the status that each is answered with. */
const statuses = {
  BLOB_UNKNOWN: 404,
  BLOB_UPLOAD_INVALID: 400,
  BLOB_UPLOAD_UNKNOWN: 404,
  DIGEST_INVALID: 400,
  MANIFEST_BLOB_UNKNOWN: 400,
  MANIFEST_INVALID: 400,
  MANIFEST_UNKNOWN: 404,
  NAME_INVALID: 400,
  NAME_UNKNOWN: 404,
  SIZE_INVALID: 400,
  UNAUTHORIZED: 401,
  DENIED: 403,
  UNSUPPORTED: 405,
  TOOMANYREQUESTS: 429,
} as const

export type HubErrorCode = keyof typeof statuses

/** An answer that is an error: `{"errors":[{code,message}]}`. */
export class HubError extends Error {
  readonly status: number

  constructor(
    readonly code: HubErrorCode,
    message: string,
    status?: number,
    readonly headers: Record<string, string> = {},
  ) {
    super(message)
    this.status = status ?? statuses[code]
  }
}
