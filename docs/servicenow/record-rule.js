/*
 * Business rule “Isobridge: record changed” on Task [task]; async; insert, update and delete; no condition.
 * Rules on Task run for the tables below it too. For other tables (cmdb_ci, core_company, u_…), make a copy on that table.
 */
(function executeRule(current, previous) {
  new IsobridgeHint().send(current.getRecordClassName(), current.getUniqueValue(), String(current.operation()), current);
})(current, previous);
