/** What passes between the streaming client and the platform: requests, their answers, and events. */
export interface BayeuxMessage {
  readonly channel?: string;
  readonly subscription?: string | readonly string[];
  readonly successful?: boolean;
  readonly error?: string;
  readonly advice?: { readonly reconnect?: string };
  ext?: Record<string, unknown>;
  readonly data?: unknown;
  /** Of an answer of the REST API, which comes where a proxy or an error page stands in between. */
  readonly errorCode?: string;
}

/** Sees each message before it is sent or delivered; a message that is not passed on is dropped. */
export interface BayeuxExtension {
  incoming(message: BayeuxMessage, pass: (message: BayeuxMessage) => void): void;
  outgoing(message: BayeuxMessage, pass: (message: BayeuxMessage) => void): void;
}

/** The part of jsforce's streaming client (faye) that is used here. Its internals, by which it can be stopped, are not promised to stay. */
export interface BayeuxClient {
  subscribe(channel: string, listener: (data: unknown) => void): { then(done: () => void, failed: () => void): unknown };
  disconnect(): void;
  on(event: "transport:down", listener: () => void): void;
  readonly _advice?: { reconnect: string };
  readonly _dispatcher?: { close(): void; readonly _envelopes?: Map<unknown, Envelope> };
}

interface Envelope {
  readonly message: BayeuxMessage;
  readonly timer?: NodeJS.Timeout | null;
  readonly request?: Promise<{ abort?: () => void } | undefined> | null;
}

/** How long a farewell may take. */
const farewellMs = 1000;

/**
 * Says farewell and ends what is under way. Left to itself the client would hold its last poll for two minutes and, where the platform does
 * not answer, go on asking every five seconds for ever.
 */
export function stop(client: BayeuxClient): void {
  client.disconnect();
  if (client._advice !== undefined) client._advice.reconnect = "none";
  end(client, ({ channel }) => channel !== "/meta/disconnect");
  setTimeout(() => {
    end(client, () => true);
    client._dispatcher?.close();
  }, farewellMs).unref();
}

function end(client: BayeuxClient, concerns: (message: BayeuxMessage) => boolean): void {
  const envelopes = client._dispatcher?._envelopes ?? new Map<unknown, Envelope>();
  for (const [id, { message, timer, request }] of [...envelopes]) {
    if (!concerns(message)) continue;
    // Without its envelope an aborted request is not sent again.
    envelopes.delete(id);
    clearTimeout(timer ?? undefined);
    request?.then((sent) => sent?.abort?.()).catch(() => {});
  }
}
