/** What a simulator says about itself at `/`: for the person who opens it in a browser. */
export interface SimulatorPage {
  readonly title: string;
  /** Paragraphs. */
  readonly about: readonly string[];
  /** Controls that only this platform has: method and path, and what they do. */
  readonly controls: readonly (readonly [string, string])[];
}

/** The controls of every simulator. */
const sharedControls: readonly (readonly [string, string])[] = [
  ["GET /__control/requests?method=&path=", "The log of requests: method, path, status (0 = hung up), body. `path` is a regular expression."],
  ["DELETE /__control/requests", "Forgets the log."],
  [
    "POST /__control/faults",
    `Arms a fault: {"method": "POST", "path": "regular expression", "after": 0, "times": 1, "effect": …}; times 0 = for ever. Effects: ` +
      `{"kind": "status", "status": 503, "headers": {}, "body": …, "applied": true} (applied: the request is handled all the same), {"kind": "reset"} (before it is handled), ` +
      `{"kind": "lost-reply"} (after), {"kind": "truncate", "complete": false}, {"kind": "html", "status": 200, "page": "login" or "hibernating"}, ` +
      `{"kind": "delay", "ms": 1000}, {"kind": "drip", "bytes": 64, "ms": 20}.`,
  ],
  ["GET /__control/faults", "The armed faults."],
  ["DELETE /__control/faults", "Disarms them all."],
  ["POST /__control/clock", `{"frozenAt": ms since 1970 or null, "offsetMs": 0}: stops or shifts the platform's clock.`],
  ["POST /__control/latency", `{"ms": 150}: added to every answer.`],
];

/** The page as HTML. */
export function pageOf(page: SimulatorPage): Response {
  const rows = [...sharedControls, ...page.controls].map(([call, text]) => `<tr><td><code>${escaped(call)}</code></td><td>${escaped(text)}</td></tr>`);
  const html =
    `<!DOCTYPE html><html lang="en"><head><meta charset="utf-8"><title>${escaped(page.title)}</title></head><body><h1>${escaped(page.title)}</h1>` +
    `${page.about.map((text) => `<p>${escaped(text)}</p>`).join("")}<h2>Control API</h2><table>${rows.join("")}</table></body></html>`;
  return new Response(html, { headers: { "content-type": "text/html;charset=UTF-8" } });
}

function escaped(text: string): string {
  return text.replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll(">", "&gt;");
}
