import { z } from "zod";
import type { Control } from "./controls.ts";
import { hintFaultSchema, webhookSchema } from "./hints.ts";
import { importMapSchema } from "./instance.ts";
import { dataPolicySchema, parseBusinessRule } from "./rules.ts";

/** What the instance does by itself: rules, policies, transforms, and the hints that it sends. */
export const automationControls: readonly Control[] = [
  {
    method: "POST",
    path: "rules",
    text:
      'Adds a business rule: {"table", "name", "on": ["insert", "update", "delete"], "when": encoded query, "abort", "set": {element: text, in which {element} stands for a value}, ' +
      '"rewrite": [{"field", "pattern", "replacement"}], "journal": {"element", "text"}, "after", "delayMs", "runAs": "user" or "system"}.',
    run: async (c, instance) => {
      instance.businessRules.push(parseBusinessRule(await c.req.json()));
      return c.body(null, 204);
    },
  },
  {
    method: "DELETE",
    path: "rules",
    text: "Removes all business rules.",
    run: (c, instance) => {
      instance.businessRules.length = 0;
      return c.body(null, 204);
    },
  },
  {
    method: "POST",
    path: "policies",
    text: 'Adds a data policy: {"table", "when": encoded query, "mandatory": [element], "readOnly": [element]}.',
    run: async (c, instance) => {
      instance.policies.push(dataPolicySchema.parse(await c.req.json()));
      return c.body(null, 204);
    },
  },
  {
    method: "POST",
    path: "import-maps",
    text: 'Adds a staging table with its transform map: {"staging", "target", "coalesce", "fields": {staging column: target column}}.',
    run: async (c, instance) => {
      instance.importMaps.push(importMapSchema.parse(await c.req.json()));
      return c.body(null, 204);
    },
  },
  {
    method: "POST",
    path: "webhooks",
    text:
      'Sends a signed hint after each save: {"url", "secret", "table", "when"}. Headers X-Isobridge-Timestamp (unix seconds) and ' +
      'X-Isobridge-Signature: sha256=<hex HMAC-SHA256 of timestamp + "." + body>; body {event_id, table, sys_id, op, sys_mod_count, sys_updated_on, sys_updated_by}.',
    run: async (c, instance) => {
      instance.hints.add(webhookSchema.parse(await c.req.json()));
      return c.body(null, 204);
    },
  },
  {
    method: "DELETE",
    path: "webhooks",
    text: "Sends no more hints, and disarms what should go wrong with them.",
    run: (c, instance) => {
      instance.hints.clear();
      return c.body(null, 204);
    },
  },
  {
    method: "POST",
    path: "webhooks/faults",
    text: 'What goes wrong with the next hints: {"kind": "lose", "duplicate", "delay", "reorder", "bad-signature" or "old-timestamp", "times", "ms"}; times 0 = for ever.',
    run: async (c, instance) => {
      instance.hints.arm(hintFaultSchema.parse(await c.req.json()));
      return c.body(null, 204);
    },
  },
  {
    method: "GET",
    path: "webhooks/deliveries",
    text: "The hints that were or should have been sent, with what the receiver answered; ?settled=true waits until none is under way. DELETE forgets them.",
    run: async (c, instance) => {
      if (z.enum(["true", "false"]).default("false").parse(c.req.query("settled")) === "true") await instance.hints.settled();
      return c.json(instance.hints.deliveries);
    },
  },
  {
    method: "DELETE",
    path: "webhooks/deliveries",
    text: "Forgets the deliveries.",
    run: (c, instance) => {
      instance.hints.deliveries.length = 0;
      return c.body(null, 204);
    },
  },
];
