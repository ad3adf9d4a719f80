import { Readable } from "node:stream";
import { buffer } from "node:stream/consumers";
import { inspect } from "node:util";
import { expect, test } from "vitest";
import type { Capabilities, Connector, Entity, EntityRef, Json, WriteOperation, WriteOutcome } from "../connector.ts";
import { ConnectorError, type ConnectorErrorCode, connectorErrorCodes } from "../errors.ts";
import { FaultyWay, type Meddler, type ProxiedRequest, type Trouble } from "./proxy.ts";
import type { Administrator, ConnectOptions, Facts, People, Testbed, Values } from "./testbed.ts";

export type OpenTestbed = () => Promise<Testbed>;

/** What the rooms of the suite are built with. */
export interface Suite {
  readonly facts: Facts;
  readonly capabilities: Capabilities;
  /** What the platform's people and its connector have beyond what all have: cases of what is absent are not generated. */
  readonly has: { readonly restore: boolean; readonly merge: boolean; readonly missing: boolean };
  readonly openTestbed: OpenTestbed;
  /** One test with an instance of its own. */
  readonly it: (title: string, body: (stage: Stage) => Promise<void>) => void;
}

/** Opens one instance to learn what there is to be tested. */
export async function suiteOf(openTestbed: OpenTestbed): Promise<Suite> {
  const probe = await openTestbed();
  const { facts, people } = probe;
  const connector = probe.connect(probe.url);
  const { capabilities } = connector;
  const has = { restore: people.restore !== undefined, merge: people.merge !== undefined, missing: connector.missing !== undefined };
  await connector.close();
  await probe.close();

  const it: Suite["it"] = (title, body) => {
    test(title, async () => {
      const stage = await Stage.open(openTestbed);
      try {
        await body(stage);
        stage.expectNoSecretShown();
      } finally {
        await stage.close();
      }
    });
  };
  return { facts, capabilities, has, openTestbed, it };
}

/** One instance, the people in it, the proxy before it, and connectors to it. Everything is closed with it. */
export class Stage {
  readonly bed: Testbed;
  readonly proxy: FaultyWay;
  readonly #opened: Connector[] = [];
  readonly #errors: unknown[] = [];
  #connector: Connector | undefined;
  #bystander: Connector | undefined;

  private constructor(bed: Testbed, proxy: FaultyWay) {
    this.bed = bed;
    this.proxy = proxy;
  }

  static async open(openTestbed: OpenTestbed): Promise<Stage> {
    const bed = await openTestbed();
    return new Stage(bed, await FaultyWay.open(bed.url));
  }

  get facts(): Facts {
    return this.bed.facts;
  }

  get people(): People {
    return this.bed.people;
  }

  get administrator(): Administrator {
    return this.bed.administrator;
  }

  get type(): string {
    return this.facts.entityType;
  }

  /** The connector under test, behind the proxy. */
  get connector(): Connector {
    this.#connector ??= this.connect();
    return this.#connector;
  }

  /** Another one on the straight way, which knows no trouble: what it reads is true. */
  get bystander(): Connector {
    this.#bystander ??= this.#kept(this.bed.connect(this.bed.url));
    return this.#bystander;
  }

  connect(options?: ConnectOptions): Connector {
    return this.#kept(this.bed.connect(this.proxy.url, options));
  }

  /** The connector to any address. */
  connectTo(url: string, options?: ConnectOptions): Connector {
    return this.#kept(this.bed.connect(url, options));
  }

  /** A record made by somebody else. */
  async record(title: string, more: Values = {}): Promise<EntityRef> {
    return await this.people.create({ [this.facts.fields.title]: title, ...more });
  }

  async entity(ref: EntityRef, by: Connector = this.connector): Promise<Entity> {
    const [outcome] = await by.read([ref]);
    if (outcome?.ok === true) return outcome.entity;
    throw outcome?.error ?? new Error("read gave no outcome");
  }

  async field(ref: EntityRef, name: string): Promise<Json | undefined> {
    return (await this.entity(ref)).fields[name];
  }

  /** The records with this title, as the bystander finds them. */
  async titled(title: string): Promise<readonly string[]> {
    const found = await this.bystander.find(this.type, [{ field: this.facts.fields.title, operator: "=", value: title }], 100);
    return found.map(({ ref }) => ref.id);
  }

  createOf(title: string, more: Readonly<Record<string, Json>> = {}, marker: string = crypto.randomUUID()): Extract<WriteOperation, { kind: "create" }> {
    return { kind: "create", entityType: this.type, fields: { [this.facts.fields.title]: title, ...more }, marker };
  }

  /** A write that must succeed; gives its id. */
  async done(operation: WriteOperation, by: Connector = this.connector): Promise<string> {
    return this.idOf((await by.write([operation]))[0]);
  }

  idOf(outcome: WriteOutcome | undefined): string {
    if (outcome?.ok === true) return outcome.id;
    throw outcome?.error ?? new Error("write gave no outcome");
  }

  /** A write that must not succeed, whether it fails alone or as a whole call; gives its error. */
  async refusal(operation: WriteOperation, by: Connector = this.connector): Promise<ConnectorError> {
    const outcome = await by.write([operation]).catch((error: unknown): readonly WriteOutcome[] => [{ ok: false, error: this.connectorError(error) }]);
    return this.errorOf(outcome[0]);
  }

  errorOf(outcome: { readonly ok: boolean; readonly error?: ConnectorError } | undefined): ConnectorError {
    expect(outcome, "an outcome that is not ok").toMatchObject({ ok: false });
    return this.connectorError(outcome?.error);
  }

  /** The error of work that must fail. */
  async failure(work: Promise<unknown>): Promise<ConnectorError> {
    const error: unknown = await work.then(
      (value) => `it succeeded with ${inspect(value, { depth: 3 })}`,
      (reason: unknown) => reason,
    );
    return this.connectorError(error);
  }

  /** Whatever fails must fail in the words of the closed set. */
  connectorError(error: unknown): ConnectorError {
    this.#errors.push(error);
    if (!(error instanceof ConnectorError)) throw new Error(`not an error of the closed set: ${inspect(error, { depth: 3 })}`);
    expect(connectorErrorCodes).toContain(error.code);
    expect(error.message.trim(), "an error says what happened").not.toBe("");
    return error;
  }

  /** Spoils each call that fits, so many times; all others go through. Gives the calls spoiled. */
  spoil(trouble: Trouble, fits: (request: ProxiedRequest) => boolean, times = Number.POSITIVE_INFINITY): ProxiedRequest[] {
    const spoiled: ProxiedRequest[] = [];
    this.proxy.meddle((request) => {
      if (spoiled.length >= times || !fits(request)) return undefined;
      spoiled.push(request);
      return trouble;
    });
    return spoiled;
  }

  meddle(meddler?: Meddler): void {
    this.proxy.meddle(meddler);
  }

  /** How often the same call was made, at most, among these. */
  mostRepeats(requests: readonly ProxiedRequest[]): number {
    const repeats = Map.groupBy(requests, ({ method, path, body }) => `${method} ${path} ${body.toString("latin1")}`);
    return Math.max(0, ...[...repeats.values()].map(({ length }) => length));
  }

  get signIns(): number {
    return this.proxy.requests.filter(this.facts.isSignIn).length;
  }

  /** No error that this test met tells a secret, in any way in which errors are shown. */
  expectNoSecretShown(): void {
    const tokens = this.proxy.requests.map(({ headers }) => (headers.authorization ?? "").split(" ").at(-1) ?? "");
    const secrets = new Set([...this.facts.secrets, ...tokens].filter((secret) => secret.length >= 6));
    for (const error of this.#errors) {
      const shown = shownIn(error);
      for (const secret of secrets)
        for (const spelling of [secret, encodeURIComponent(secret), Buffer.from(secret).toString("base64")])
          expect(shown.includes(spelling), `a secret shows in ${shown.replaceAll(spelling, "•••")}`).toBe(false);
    }
  }

  async close(): Promise<void> {
    for (const connector of this.#opened) await connector.close();
    await this.proxy.close();
    await this.bed.close();
  }

  #kept(connector: Connector): Connector {
    this.#opened.push(connector);
    return connector;
  }
}

/** An error with its causes, stack and hidden properties, and as JSON. */
function shownIn(error: unknown): string {
  return inspect(error, { depth: 12, showHidden: true, maxStringLength: null }) + JSON.stringify(error) + (error instanceof Error ? error.stack : "");
}

/** Names the trouble that codes are compared with, so that a failing test says which case it was. */
export function expectCode(error: ConnectorError, codes: readonly ConnectorErrorCode[], when: string): void {
  expect(codes, `${when}: ${error.code} “${error.message}”`).toContain(error.code);
}

function bytesOf(content: string | Buffer): () => Promise<Readable> {
  return async () => Readable.from([Buffer.from(content)], { objectMode: false });
}

export function fileOf(
  ref: EntityRef,
  filename: string,
  content: Buffer,
  mimetype = "application/octet-stream",
  marker: string = crypto.randomUUID(),
): Extract<WriteOperation, { kind: "addAttachment" }> {
  return { kind: "addAttachment", ref, filename, mimetype, filesize: content.length, open: bytesOf(content), marker };
}

export function commentOf(
  ref: EntityRef,
  body: string,
  internal = false,
  marker: string = crypto.randomUUID(),
): Extract<WriteOperation, { kind: "addComment" }> {
  return { kind: "addComment", ref, body, internal, marker };
}

/** The bytes of an attachment. */
export async function download(connector: Connector, ref: EntityRef, attachmentId: string): Promise<Buffer> {
  return await buffer(await connector.openAttachment(ref, attachmentId));
}
