import { Hono } from "hono";
import { ConnectorError } from "../../connectors/errors.ts";
import type { SyncContext } from "../sync/context.ts";
import { finishWebSignIn } from "../sync/web-sign-in.ts";

/** Where a platform sends the browser back, below the node's address. */
export const signInCallback = "/sign-in/callback";

/** The end of a sign-in by a browser. Nobody is signed in to the node here; the state, good for one use, tells which sign-in it ends. */
export function createSignIn(context: SyncContext): Hono {
  const app = new Hono();
  app.get(signInCallback, async (c) => {
    const { state, code, error, error_description: description } = c.req.query();
    if (error !== undefined) return c.html(page("Not signed in", `The platform says: ${description ?? error}`), 400, headers);
    if (state === undefined || code === undefined)
      return c.html(page("Not signed in", "The address lacks a state or a code. Begin the sign-in again."), 400, headers);
    try {
      const instance = await finishWebSignIn(context, { state, code });
      return c.html(page("Signed in", `Isobridge is signed in to ${instance}. You can close this window.`), 200, headers);
    } catch (failed) {
      if (!(failed instanceof ConnectorError)) throw failed;
      context.log.warn({ code: failed.code }, `A sign-in by a browser failed: ${failed.message}`);
      return c.html(page("Not signed in", failed.advice === undefined ? failed.message : `${failed.message} ${failed.advice}`), 400, headers);
    }
  });
  return app;
}

/** The address holds a code and a state: neither is to be kept or passed on. */
const headers = {
  "cache-control": "no-store",
  "referrer-policy": "no-referrer",
  "content-security-policy": "default-src 'none'; frame-ancestors 'none'; base-uri 'none'",
};

function page(title: string, text: string): string {
  return `<!doctype html><html lang="en"><meta charset="utf-8"><title>${escaped(title)}</title><h1>${escaped(title)}</h1><p>${escaped(text)}</p></html>`;
}

function escaped(text: string): string {
  return text.replace(/[&<>"']/g, (character) => `&#${character.codePointAt(0)};`);
}
