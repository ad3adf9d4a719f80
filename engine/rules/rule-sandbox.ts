import { readModules } from "../sandbox/guest/modules.ts";
import { Sandbox, type SandboxOptions } from "../sandbox/sandbox.ts";

/** Starts a sandbox whose isolates speak the rule language. */
export async function startRuleSandbox(options: Omit<SandboxOptions, "prelude"> = {}): Promise<Sandbox> {
  return await Sandbox.start({ ...options, prelude: { entry: "prelude.ts", modules: readModules(new URL("./prelude/", import.meta.url), preludeModules) } });
}

const preludeModules = ["asks.ts", "attachments.ts", "changes.ts", "comments.ts", "effects.ts", "mapping.ts", "prelude.ts", "text.ts"];
