import type { Readable } from "node:stream";
import type { EntityRef, Json } from "../connector.ts";
import { platforms } from "../platforms.ts";

// Does a little of everything with one connector, closes it, and has nothing left to do: whatever keeps this process alive is the connector's.
const { platform, config, secrets, ref, title } = JSON.parse(process.env.CONFORMANCE_CLOSING ?? "{}") as {
  readonly platform: string;
  readonly config: Json;
  readonly secrets: Readonly<Record<string, string>>;
  readonly ref: EntityRef;
  readonly title: string;
}; // written by closing.ts

const connector = platforms[platform]?.connect(config, secrets);
if (connector === undefined) throw new Error(`There is no platform ${platform}.`);
await connector.check();
await connector.poll({ entityType: ref.type, query: "" }, undefined, 10);
const [read] = await connector.read([ref]);
const attachment = read?.ok === true ? read.entity.attachments[0] : undefined;
if (attachment === undefined) throw new Error("The attachment was not read.");
// Opened and left: closing must not wait for somebody to read it to its end.
const abandoned: Readable = await connector.openAttachment(ref, attachment.id);
abandoned.on("error", () => undefined);
abandoned.destroy();
const [written] = await connector.write([{ kind: "update", ref, fields: { [title]: "closed" } }]);
if (written?.ok !== true) throw written?.error ?? new Error("Nothing was written.");
// Still listening when it is closed, as a node that stops is.
const listening = connector.listen?.(undefined, [ref.type], async () => {}, new AbortController().signal).catch(() => undefined);
await connector.close();
await listening;
process.stdout.write(JSON.stringify({ closed: true }));
