import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { getRequestListener } from "@hono/node-server";
import type { Hono } from "hono";

/** Serves an app. Port 0 takes a free one. Throws with what to do when the port is taken or not allowed. */
export async function listen(app: Hono, at: { readonly host: string; readonly port: number }): Promise<{ readonly url: string; close(): Promise<void> }> {
  const server = createServer(getRequestListener(app.fetch));
  await new Promise<void>((resolve, reject) => {
    server.once("error", (error: NodeJS.ErrnoException) => reject(new PortUnavailable(at, error)));
    server.listen(at.port, at.host, resolve);
  });
  const { port } = server.address() as AddressInfo;
  return {
    url: `http://${at.host.includes(":") ? `[${at.host}]` : at.host}:${port}`,
    async close() {
      const closed = new Promise((resolve) => server.close(resolve));
      server.closeIdleConnections();
      // A client that keeps a request open must not keep the node from stopping.
      const impatient = setTimeout(() => server.closeAllConnections(), 3_000);
      await closed;
      clearTimeout(impatient);
    },
  };
}

export class PortUnavailable extends Error {
  override readonly name = "PortUnavailable";
  constructor(at: { readonly host: string; readonly port: number }, cause: NodeJS.ErrnoException) {
    const why = cause.code === "EADDRINUSE" ? "another program listens there" : cause.code === "EACCES" ? "this user may not listen there" : cause.message;
    super(`Cannot listen on ${at.host}:${at.port}: ${why}. Choose another one with --port, or 0 for a free one.`, { cause });
  }
}
