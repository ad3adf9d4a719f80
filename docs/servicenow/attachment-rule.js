/*
 * Business rule “Isobridge: attachment changed” on Attachment [sys_attachment]; async; insert and delete; no condition.
 * A new attachment does not reliably touch its record.
 */
(function executeRule(current, previous) {
  new IsobridgeHint().send(current.getValue("table_name"), current.getValue("table_sys_id"), "update", current);
})(current, previous);
