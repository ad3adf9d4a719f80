import { setTimeout as sleep } from "node:timers/promises";
import type { HttpBindings } from "@hono/node-server";
import { RESPONSE_ALREADY_SENT } from "@hono/node-server/utils/response";
import type { FaultEffect } from "./faults.ts";

/** What is answered under a fault: the platform's own answer unless the fault puts another in its place. */
export async function answered(effect: FaultEffect | undefined, handle: () => Promise<Response> | Response): Promise<Response> {
  const planned = effect === undefined ? undefined : plannedAnswer(effect);
  if (planned === undefined) return await handle();
  if (effect?.kind === "status" && effect.applied === true) await (await handle()).body?.cancel();
  return planned;
}

/** The answer as it leaves under a fault that spoils its way: cut short or dripping. */
export async function spoiled(response: Response, effect: FaultEffect, bindings: HttpBindings): Promise<Response> {
  if (effect.kind === "truncate") return effect.complete === true ? await half(response) : await cutShort(response, bindings);
  if (effect.kind === "drip") return dripping(response, effect.bytes, effect.ms);
  return response;
}

const pages = {
  login: "<!DOCTYPE html><html><head><title>Log in</title></head><body><form>Please log in</form></body></html>",
  hibernating: "<!DOCTYPE html><html><head><title>Instance Hibernating page</title></head><body>Your instance is hibernating</body></html>",
} as const;

/** The page that a person would see where a program expects JSON; with a 3xx status a redirect to it. */
export function htmlAnswer(page: keyof typeof pages, status: number): Response {
  const redirect = status >= 300 && status < 400 ? { location: "/login.do" } : {};
  return new Response(pages[page], { status, headers: { "content-type": "text/html;charset=UTF-8", ...redirect } });
}

function plannedAnswer(effect: FaultEffect): Response | undefined {
  if (effect.kind === "html") return htmlAnswer(effect.page ?? "login", effect.status ?? 200);
  if (effect.kind !== "status") return undefined;
  const text = typeof effect.body === "string" ? effect.body : effect.body === undefined ? "" : JSON.stringify(effect.body);
  const bodyless = effect.status === 204 || effect.status === 304;
  return new Response(bodyless ? null : text, { status: effect.status, headers: { "content-type": "application/json;charset=UTF-8", ...effect.headers } });
}

/** Announces the whole length, sends half, and drops the connection. */
async function cutShort(response: Response, bindings: HttpBindings): Promise<Response> {
  const bytes = Buffer.from(await response.arrayBuffer());
  bindings.outgoing.writeHead(response.status, { ...Object.fromEntries(response.headers), "content-length": String(bytes.length + 1) });
  await new Promise((resolve) => bindings.outgoing.write(bytes.subarray(0, Math.ceil(bytes.length / 2)), resolve));
  bindings.incoming.socket.destroy();
  return RESPONSE_ALREADY_SENT;
}

/** Half of the body, announced as the whole of it: broken JSON that nothing on the wire gives away. */
async function half(response: Response): Promise<Response> {
  const bytes = Buffer.from(await response.arrayBuffer());
  const kept = bytes.subarray(0, Math.floor(bytes.length / 2));
  const headers = new Headers(response.headers);
  headers.set("content-length", String(kept.length));
  return new Response(new Uint8Array(kept), { status: response.status, headers });
}

function dripping(response: Response, bytes: number, ms: number): Response {
  if (response.body === null) return response;
  const pieces = new TransformStream<Uint8Array, Uint8Array>({
    async transform(chunk, controller) {
      for (let at = 0; at < chunk.length; at += bytes) {
        controller.enqueue(chunk.subarray(at, at + bytes));
        await sleep(ms);
      }
    },
  });
  return new Response(response.body.pipeThrough(pieces), { status: response.status, headers: response.headers });
}
