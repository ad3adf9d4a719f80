import { describe, expect, it } from "vitest";
import { salesforceId } from "./id.ts";

describe("a Salesforce id", () => {
  it("gets the three characters that say which of its fifteen are capitals [X]", () => {
    expect(salesforceId("001D000000IqhSL")).toBe("001D000000IqhSLIAZ");
    expect(salesforceId("000000000000000")).toBe("000000000000000AAA");
    expect(salesforceId("AAAAAAAAAAAAAAA")).toBe("AAAAAAAAAAAAAAA555");
  });

  it("stays what it is with eighteen characters, whatever the last three are", () => {
    expect(salesforceId("500XX0000000001AAA")).toBe("500XX0000000001AAA");
    expect(salesforceId("001D000000IqhSLIAZ")).toBe("001D000000IqhSLIAZ");
  });

  it.each(["", "001", "001D000000Iqh L", "001D000000IqhSLIA", "' OR Id != '"])("is not %j", (text) => {
    expect(salesforceId(text)).toBeUndefined();
  });
});
