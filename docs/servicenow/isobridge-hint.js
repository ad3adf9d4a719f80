/*
 * Script include IsobridgeHint (global, not client callable).
 * Tells Isobridge that a record is worth a look. Nothing of the record itself is sent: the node reads it with its own account.
 * System properties: isobridge.webhook.url, isobridge.webhook.secret (type password2), isobridge.webhook.tables.
 */
var IsobridgeHint = Class.create();
IsobridgeHint.prototype = {
  initialize: function () {},

  /** True for the tables named in isobridge.webhook.tables, separated by commas. */
  concerns: function (table) {
    return ("," + gs.getProperty("isobridge.webhook.tables", "").replace(/\s/g, "") + ",").indexOf("," + table + ",") >= 0;
  },

  /** op: "insert", "update" or "delete"; record: the GlideRecord that changed. */
  send: function (table, sysId, op, record) {
    var url = gs.getProperty("isobridge.webhook.url", "");
    var secret = gs.getProperty("isobridge.webhook.secret", "");
    if (!url || !secret || !this.concerns(table)) return;
    try {
      var body = this._ascii(
        JSON.stringify({
          event_id: String(gs.generateGUID()),
          table: String(table),
          sys_id: String(sysId),
          op: op,
          sys_mod_count: String(record.getValue("sys_mod_count") || ""),
          sys_updated_on: String(record.getValue("sys_updated_on") || ""),
          sys_updated_by: String(record.getValue("sys_updated_by") || "")
        })
      );
      var timestamp = String(Math.floor(new GlideDateTime().getNumericValue() / 1000));
      var request = new sn_ws.RESTMessageV2();
      request.setEndpoint(url);
      request.setHttpMethod("POST");
      request.setHttpTimeout(10000);
      request.setRequestHeader("Content-Type", "application/json");
      request.setRequestHeader("X-Isobridge-Timestamp", timestamp);
      request.setRequestHeader("X-Isobridge-Signature", "sha256=" + this._hmac(secret, timestamp + "." + body));
      request.setRequestBody(body);
      request.executeAsync();
    } catch (failure) {
      // The node asks by itself from time to time: a hint that is lost costs time and nothing else.
      gs.warn("Isobridge: the hint for " + table + " " + sysId + " was not sent.");
    }
  },

  /** HMAC-SHA256 in hexadecimal. The platform takes the key in base64 and gives the result in base64. */
  _hmac: function (secret, text) {
    return this._hex(String(new GlideCertificateEncryption().generateMac(GlideStringUtil.base64Encode(secret), "HmacSHA256", text)));
  },

  /** Signed and sent are the same bytes whatever the character set is. */
  _ascii: function (text) {
    return text.replace(/[\u007f-\uffff]/g, function (letter) {
      return "\\u" + ("0000" + letter.charCodeAt(0).toString(16)).slice(-4);
    });
  },

  _hex: function (base64) {
    var alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    var bits = 0;
    var count = 0;
    var hex = "";
    for (var i = 0; i < base64.length; i++) {
      var six = alphabet.indexOf(base64.charAt(i));
      if (six < 0) continue;
      bits = ((bits << 6) | six) & 0xffff;
      count += 6;
      if (count >= 8) {
        count -= 8;
        hex += ("0" + ((bits >> count) & 0xff).toString(16)).slice(-2);
      }
    }
    return hex;
  },

  type: "IsobridgeHint"
};
