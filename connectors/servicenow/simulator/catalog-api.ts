import type { Hono } from "hono";
import { z } from "zod";
import type { SimulatorBindings } from "../../simulation/server.ts";
import type { Account } from "./accounts.ts";
import type { Instance } from "./instance.ts";
import { insertRecord } from "./records.ts";
import { Refusal, refusals } from "./refusal.ts";
import { apiAt, bodyOf } from "./rim.ts";
import type { Row } from "./store.ts";

const orderSchema = z.object({ sysparm_quantity: z.coerce.number().int().min(1).default(1), variables: z.record(z.string(), z.string()).default({}) });

/** `POST /api/sn_sc/servicecatalog/items/{id}/order_now`: a request, its item, and the variables of the item with what was filled in [D, K]. */
export function catalogRoutes(app: Hono<SimulatorBindings>, instance: Instance): void {
  apiAt(app, instance, ["POST"], ["/api/sn_sc/servicecatalog", "/api/sn_sc/v1/servicecatalog"], "/items/:id/order_now", async (c, account) => {
    const found = instance.store.find("sc_cat_item", c.req.param("id") ?? "");
    if (found === undefined) throw refusals.noRecord();
    const order = orderSchema.safeParse(await bodyOf(c));
    if (!order.success) throw refusals.unreadableRequest();
    const questions = [...instance.store.rows("item_option_new")].filter((row) => row.cat_item === found.row.sys_id);
    const missing = questions.filter((row) => row.mandatory === "true" && (order.data.variables[row.name ?? ""] ?? "") === "");
    if (missing.length > 0) throw new Refusal(400, "Mandatory Variables are required", null);
    const request = orderItem(instance, account, found.row, order.data.sysparm_quantity, questions, order.data.variables);
    const number = request.number ?? "";
    return c.json({ result: { sys_id: request.sys_id ?? "", number, request_number: number, request_id: request.sys_id ?? "", table: "sc_request" } });
  });
}

function orderItem(
  instance: Instance,
  account: Account,
  item: Row,
  quantity: number,
  questions: readonly Row[],
  answers: Readonly<Record<string, string>>,
): Row {
  const request = insertRecord(instance, account, "sc_request", { requested_for: account.userId });
  const requested = insertRecord(instance, account, "sc_req_item", {
    request: request.sys_id,
    cat_item: item.sys_id,
    requested_for: account.userId,
    quantity: String(quantity),
    price: item.price,
    short_description: item.short_description,
  });
  for (const question of questions) {
    const value = answers[question.name ?? ""] ?? question.default_value ?? "";
    const option = insertRecord(instance, account, "sc_item_option", { item_option_new: question.sys_id, value, order: question.order });
    insertRecord(instance, account, "sc_item_option_mtom", { request_item: requested.sys_id, sc_item_option: option.sys_id });
  }
  return request;
}
