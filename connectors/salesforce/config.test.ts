import { describe, expect, it } from "vitest";
import { salesforceConfig, salesforceSecrets } from "./connector.ts";

const auth = { type: "client-credentials", clientId: "app" };

describe("the configuration of an org", () => {
  it("needs an address and a way to sign in; the rest has defaults", () => {
    expect(salesforceConfig.parse({ url: "https://acme.my.salesforce.com/", auth })).toEqual({
      url: "https://acme.my.salesforce.com",
      apiVersion: "60.0",
      auth,
      assignmentRules: true,
      markerField: "Isobridge_Marker__c",
      comments: "CaseComment",
      emails: "internal",
      overlapSeconds: 10,
      allowHttp: false,
    });
  });

  it.each(["http://127.0.0.1:4000", "http://localhost:4000", "http://[::1]:4000"])("takes plain http for this machine: %s", (url) => {
    expect(salesforceConfig.parse({ url, auth }).url).toBe(url);
  });

  it.each(["http://acme.my.salesforce.com", "http://localhost.evil.example", "ftp://x", "acme", "https://acme.lightning.force.com"])("refuses %s", (url) => {
    expect(salesforceConfig.safeParse({ url, auth }).success).toBe(false);
  });

  it("takes plain http to another machine only when that is allowed in so many words", () => {
    expect(salesforceConfig.safeParse({ url: "http://10.1.2.3:8080", auth, allowHttp: true }).success).toBe(true);
  });

  it("refuses keys that it does not know, so that a misspelt one is not ignored", () => {
    expect(salesforceConfig.safeParse({ url: "https://a.example", auth, marker: "x" }).success).toBe(false);
  });

  it("says which secrets a way of signing in needs", () => {
    const secrets = (auth: unknown) => salesforceSecrets(salesforceConfig.parse({ url: "https://a.example", auth }));
    expect(secrets({ type: "jwt-bearer", clientId: "a", username: "u" })).toEqual(["privateKey"]);
    expect(secrets(auth)).toEqual(["clientSecret"]);
    expect(secrets({ type: "password", username: "u" })).toEqual(["password"]);
    expect(secrets({ type: "password", username: "u", clientId: "a" })).toEqual(["password", "clientSecret"]);
  });
});
