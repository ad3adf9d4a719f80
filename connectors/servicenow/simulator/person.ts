/** What a person needs to work in the instance. */
export interface Credentials {
  readonly userName: string;
  readonly password: string;
}

export interface Answer {
  readonly status: number;
  readonly headers: Headers;
  // Tests and demonstrations look into answers of every shape.
  // biome-ignore lint/suspicious/noExplicitAny: see above
  readonly body: any;
}

/** A person at work in a ServiceNow instance, by the same REST API that programs use and with rights of their own. */
export class PersonAtWork {
  readonly #url: string;
  readonly #authorization: string;

  constructor(url: string, who: Credentials) {
    this.#url = url;
    this.#authorization = `Basic ${Buffer.from(`${who.userName}:${who.password}`).toString("base64")}`;
  }

  /** Gives the sys_id. */
  async create(table: string, fields: Readonly<Record<string, unknown>>): Promise<string> {
    return (await this.#done("POST", `/api/now/table/${table}`, fields)).body.result.sys_id;
  }

  async change(table: string, id: string, fields: Readonly<Record<string, unknown>>): Promise<void> {
    await this.#done("PATCH", `/api/now/table/${table}/${id}`, fields);
  }

  async comment(table: string, id: string, text: string): Promise<void> {
    await this.change(table, id, { comments: text });
  }

  async workNote(table: string, id: string, text: string): Promise<void> {
    await this.change(table, id, { work_notes: text });
  }

  async remove(table: string, id: string): Promise<void> {
    await this.#done("DELETE", `/api/now/table/${table}/${id}`);
  }

  /** Gives the attachment's sys_id. */
  async attach(table: string, id: string, fileName: string, bytes: Buffer, type = "application/octet-stream"): Promise<string> {
    const query = new URLSearchParams({ table_name: table, table_sys_id: id, file_name: fileName });
    const response = await fetch(`${this.#url}/api/now/attachment/file?${query}`, {
      method: "POST",
      headers: { authorization: this.#authorization, accept: "application/json", "content-type": type },
      body: new Uint8Array(bytes),
    });
    const text = await response.text();
    if (response.status !== 201) throw new Error(`ServiceNow answered ${response.status}: ${text}`);
    return JSON.parse(text).result.sys_id;
  }

  /** Any call; the answer as it is. */
  async call(method: string, path: string, body?: unknown, headers: Readonly<Record<string, string>> = {}): Promise<Answer> {
    const response = await fetch(this.#url + path, {
      method,
      redirect: "manual",
      headers: {
        authorization: this.#authorization,
        accept: "application/json",
        ...(body === undefined ? {} : { "content-type": "application/json" }),
        ...headers,
      },
      ...(body === undefined ? {} : { body: typeof body === "string" ? body : JSON.stringify(body) }),
    });
    const text = await response.text();
    return { status: response.status, headers: response.headers, body: parsed(text) };
  }

  async #done(method: string, path: string, body?: unknown): Promise<Answer> {
    const answer = await this.call(method, path, body);
    if (answer.status >= 300) throw new Error(`ServiceNow answered ${answer.status}: ${JSON.stringify(answer.body)}`);
    return answer;
  }
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return text;
  }
}
