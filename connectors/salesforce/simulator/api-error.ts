/** An error as the platform answers it: `[{message, errorCode, fields}]` with an HTTP status [R]. */
export class ApiError extends Error {
  readonly status: number;
  readonly errorCode: string;
  readonly fields: readonly string[];

  /** What some errors tell beside: the `duplicateResult` of DUPLICATES_DETECTED. */
  readonly more: Readonly<Record<string, unknown>>;

  constructor(status: number, errorCode: string, message: string, fields: readonly string[] = [], more: Readonly<Record<string, unknown>> = {}) {
    super(message);
    this.more = more;
    this.status = status;
    this.errorCode = errorCode;
    this.fields = fields;
  }
}
