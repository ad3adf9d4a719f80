import { systemColumns } from "./platform-tables.ts";
import type { TableDefinition } from "./schema.ts";

/**
 * The service catalog. A requested item has no columns for what was filled into its form: each answer is a `sc_item_option`,
 * tied to the item by a row of `sc_item_option_mtom`, and names its question in `item_option_new` [K].
 */
export const catalogTables: readonly TableDefinition[] = [
  {
    name: "sc_request",
    label: "Request",
    extends: "task",
    numbers: { prefix: "REQ", first: 10_001 },
    columns: [
      { element: "requested_for", label: "Requested for", type: "reference", reference: "sys_user" },
      {
        element: "request_state",
        label: "Request state",
        choice: 3,
        default: "requested",
        choices: [
          ["requested", "Pending Approval"],
          ["in_process", "Approved"],
          ["closed_complete", "Closed Complete"],
          ["closed_cancelled", "Closed Cancelled"],
        ],
      },
      { element: "price", label: "Price", type: "price" },
    ],
  },
  {
    name: "sc_req_item",
    label: "Requested Item",
    extends: "task",
    numbers: { prefix: "RITM", first: 10_001 },
    columns: [
      { element: "request", label: "Request", type: "reference", reference: "sc_request" },
      { element: "cat_item", label: "Item", type: "reference", reference: "sc_cat_item" },
      { element: "requested_for", label: "Requested for", type: "reference", reference: "sys_user" },
      { element: "quantity", label: "Quantity", type: "integer", default: "1" },
      { element: "price", label: "Price", type: "price" },
    ],
  },
  {
    name: "sc_task",
    label: "Catalog Task",
    extends: "task",
    numbers: { prefix: "SCTASK", first: 10_001 },
    columns: [
      { element: "request", label: "Request", type: "reference", reference: "sc_request" },
      { element: "request_item", label: "Request item", type: "reference", reference: "sc_req_item" },
    ],
  },
  {
    name: "sc_cat_item",
    label: "Catalog Item",
    columns: [
      ...systemColumns,
      { element: "sys_class_name", label: "Type", type: "sys_class_name", readOnly: true },
      { element: "name", label: "Name", maxLength: 100, display: true },
      { element: "short_description", label: "Short description", maxLength: 200 },
      { element: "description", label: "Description", type: "html", maxLength: 8000 },
      { element: "price", label: "Price", type: "price" },
      { element: "active", label: "Active", type: "boolean", default: "true" },
    ],
  },
  {
    name: "item_option_new",
    label: "Variable",
    columns: [
      ...systemColumns,
      { element: "sys_class_name", label: "Class", type: "sys_class_name", readOnly: true },
      { element: "name", label: "Name", maxLength: 100 },
      { element: "question_text", label: "Question", maxLength: 150, display: true },
      {
        element: "type",
        label: "Type",
        type: "integer",
        choice: 3,
        default: "6",
        choices: [
          ["1", "Yes / No"],
          ["2", "Multi Line Text"],
          ["3", "Multiple Choice"],
          ["5", "Select Box"],
          ["6", "Single Line Text"],
          ["7", "CheckBox"],
          ["8", "Reference"],
          ["9", "Date"],
          ["10", "Date/Time"],
        ],
      },
      { element: "cat_item", label: "Catalog item", type: "reference", reference: "sc_cat_item" },
      { element: "reference", label: "Reference", maxLength: 80 },
      { element: "default_value", label: "Default value", maxLength: 4000 },
      { element: "mandatory", label: "Mandatory", type: "boolean", default: "false" },
      { element: "order", label: "Order", type: "integer", default: "100" },
      { element: "active", label: "Active", type: "boolean", default: "true" },
    ],
  },
  {
    name: "sc_item_option",
    label: "Options",
    columns: [
      ...systemColumns,
      { element: "item_option_new", label: "Question", type: "reference", reference: "item_option_new" },
      { element: "cart_item", label: "Cart item", maxLength: 32 },
      { element: "value", label: "Value", maxLength: 4000 },
      { element: "order", label: "Order", type: "integer" },
    ],
  },
  {
    name: "sc_item_option_mtom",
    label: "Item Options",
    columns: [
      ...systemColumns,
      { element: "request_item", label: "Parent item", type: "reference", reference: "sc_req_item" },
      { element: "sc_item_option", label: "Dependent item", type: "reference", reference: "sc_item_option" },
    ],
  },
];
