/** An answer with the platform's error envelope [R]; thrown by the inner parts, written by the rim. */
export class Refusal extends Error {
  readonly status: 400 | 401 | 403 | 404 | 405 | 406 | 409 | 413 | 414 | 415 | 429 | 500 | 503;
  readonly detail: string | null;
  readonly headers: Readonly<Record<string, string>>;

  constructor(status: Refusal["status"], message: string, detail: string | null, headers: Readonly<Record<string, string>> = {}) {
    super(message);
    this.status = status;
    this.detail = detail;
    this.headers = status === 401 ? { "www-authenticate": 'BASIC realm="Service-now"', ...headers } : headers;
  }

  body(): object {
    return { error: { message: this.message, detail: this.detail }, status: "failure" };
  }
}

export const refusals = {
  notAuthenticated: () => new Refusal(401, "User Not Authenticated", "Required to provide Auth information"),
  invalidTable: (table: string) => new Refusal(400, `Invalid table ${table}`, null),
  noResource: () => new Refusal(400, "Requested URI does not represent any resource", null),
  unreadableRequest: () => new Refusal(400, "Exception while reading request", "The payload is not valid JSON"),
  noRecord: () => new Refusal(404, "No Record found", "Record doesn't exist or ACL restricts the record retrieval"),
  mayNotQuery: () => new Refusal(403, "Insufficient rights to query records", "Field(s) present in the query do not have permission to be read"),
  mayNotRead: () => new Refusal(403, "User Not Authorized", "Failed API level ACL Validation"),
  mayNotInsert: () => new Refusal(403, "Operation Failed", "ACL Exception Insert Failed due to security constraints"),
  mayNotUpdate: () => new Refusal(403, "Operation Failed", "ACL Exception Update Failed due to security constraints"),
  mayNotDelete: () => new Refusal(403, "Operation Failed", "ACL Exception Delete Failed due to security constraints"),
  dataPolicy: (labels: readonly string[]) =>
    new Refusal(403, "Operation Failed", `Data Policy Exception: The following fields are mandatory: ${labels.join(", ")}`),
  dataPolicyReadOnly: (labels: readonly string[]) =>
    new Refusal(403, "Operation Failed", `Data Policy Exception: The following fields are read only: ${labels.join(", ")}`),
  businessRule: (table: string, name: string, id: string) =>
    new Refusal(403, "Operation Failed", `Operation against file '${table}' was aborted by Business Rule '${name}^${id}'. Business Rule Stack:${name}`),
} as const;
