import type { ColumnDefinition, TableDefinition } from "./schema.ts";

/** Columns that every table has. */
export const systemColumns: readonly ColumnDefinition[] = [
  { element: "sys_id", label: "Sys ID", type: "GUID", maxLength: 32, readOnly: true },
  { element: "sys_created_on", label: "Created", type: "glide_date_time", readOnly: true },
  { element: "sys_created_by", label: "Created by", maxLength: 40, readOnly: true },
  { element: "sys_updated_on", label: "Updated", type: "glide_date_time", readOnly: true },
  { element: "sys_updated_by", label: "Updated by", maxLength: 40, readOnly: true },
  { element: "sys_mod_count", label: "Updates", type: "integer", readOnly: true },
  { element: "sys_tags", label: "Tags", type: "related_tags", readOnly: true },
];

/** Where the platform keeps what belongs to records, and its own description of the tables [D]. */
export const platformTables: readonly TableDefinition[] = [
  {
    name: "sys_journal_field",
    label: "Journal Entry",
    columns: [
      ...systemColumns,
      { element: "name", label: "Name", maxLength: 80 },
      { element: "element", label: "Element", maxLength: 80 },
      { element: "element_id", label: "Element ID", maxLength: 32 },
      { element: "value", label: "Value", maxLength: 65_000 },
    ],
  },
  {
    name: "sys_attachment",
    label: "Attachment",
    columns: [
      ...systemColumns,
      { element: "file_name", label: "File name", maxLength: 100, display: true },
      { element: "content_type", label: "Content type", maxLength: 100 },
      { element: "size_bytes", label: "Size bytes", type: "integer" },
      { element: "size_compressed", label: "Size compressed", type: "integer" },
      { element: "compressed", label: "Compressed", type: "boolean" },
      { element: "table_name", label: "Table name", maxLength: 80 },
      { element: "table_sys_id", label: "Table sys ID", maxLength: 32 },
    ],
  },
  {
    name: "sys_audit_delete",
    label: "Deleted Record",
    columns: [
      ...systemColumns,
      { element: "tablename", label: "Table", maxLength: 80 },
      { element: "documentkey", label: "Document key", maxLength: 32 },
      { element: "display_value", label: "Display value", maxLength: 255 },
      { element: "payload", label: "Payload", maxLength: 65_000 },
    ],
  },
  {
    name: "sys_db_object",
    label: "Tables",
    columns: [
      ...systemColumns,
      { element: "name", label: "Name", display: true },
      { element: "label", label: "Label" },
      { element: "super_class", label: "Extends table", type: "reference", reference: "sys_db_object" },
    ],
  },
  {
    name: "sys_dictionary",
    label: "Dictionary Entry",
    columns: [
      ...systemColumns,
      { element: "name", label: "Table" },
      { element: "element", label: "Column name" },
      { element: "column_label", label: "Column label" },
      { element: "internal_type", label: "Type" },
      { element: "max_length", label: "Max length", type: "integer" },
      { element: "mandatory", label: "Mandatory", type: "boolean" },
      { element: "read_only", label: "Read only", type: "boolean" },
      { element: "reference", label: "Reference" },
      { element: "default_value", label: "Default value" },
      { element: "display", label: "Display", type: "boolean" },
      { element: "choice", label: "Choice", type: "integer" },
      { element: "unique", label: "Unique", type: "boolean" },
      { element: "active", label: "Active", type: "boolean" },
      { element: "attributes", label: "Attributes", maxLength: 1000 },
      { element: "dependent", label: "Dependent", maxLength: 80 },
    ],
  },
  {
    name: "sys_dictionary_override",
    label: "Dictionary Override",
    columns: [
      ...systemColumns,
      { element: "name", label: "Table" },
      { element: "element", label: "Column name" },
      { element: "base_table", label: "Base table" },
      { element: "default_value_override", label: "Override default value", type: "boolean" },
      { element: "default_value", label: "Default value" },
      { element: "mandatory_override", label: "Override mandatory", type: "boolean" },
      { element: "mandatory", label: "Mandatory", type: "boolean" },
      { element: "read_only_override", label: "Override read only", type: "boolean" },
      { element: "read_only", label: "Read only", type: "boolean" },
      { element: "display_override", label: "Override display value", type: "boolean" },
    ],
  },
  {
    name: "sys_choice",
    label: "Choice",
    columns: [
      ...systemColumns,
      { element: "name", label: "Table" },
      { element: "element", label: "Element" },
      { element: "value", label: "Value" },
      { element: "label", label: "Label", display: true },
      { element: "sequence", label: "Sequence", type: "integer" },
      { element: "inactive", label: "Inactive", type: "boolean" },
      { element: "language", label: "Language" },
      { element: "dependent_value", label: "Dependent value" },
    ],
  },
  {
    name: "sys_documentation",
    label: "Field Label",
    columns: [
      ...systemColumns,
      { element: "name", label: "Table" },
      { element: "element", label: "Element" },
      { element: "label", label: "Label", display: true },
      { element: "hint", label: "Hint" },
      { element: "help", label: "Help" },
      { element: "language", label: "Language" },
    ],
  },
];
