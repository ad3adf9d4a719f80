import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { salesforceConfig } from "./config.ts";
import { parseStrictXml, type XmlElement } from "./strict-xml.ts";

const { markerField } = salesforceConfig.parse({ url: "https://acme.my.salesforce.com", auth: { type: "client-credentials", clientId: "app" } });
const read = (path: string): XmlElement =>
  parseStrictXml(readFileSync(new URL(`../../docs/salesforce/package/${path}`, import.meta.url), "utf8")) ?? expect.fail(`${path} is not well-formed`);
const textsOf = (element: XmlElement, name: string): string[] => [
  ...element.children.flatMap((child) => (child.name === name ? [child.text] : [])),
  ...element.children.flatMap((child) => textsOf(child, name)),
];

describe("the metadata package for an org", () => {
  it("adds the marker field that the connector looks for: a unique external id of 255 characters", () => {
    const field = read("objects/Case.object").children.find(({ name }) => name === "fields") ?? expect.fail("no field");
    const facts = Object.fromEntries(field.children.map(({ name, text }) => [name, text]));
    expect(facts).toMatchObject({
      fullName: markerField,
      type: "Text",
      length: "255",
      externalId: "true",
      unique: "true",
      caseSensitive: "true",
      required: "false",
    });
  });

  it("lets the integration user read and write it, use the API, and see all cases", () => {
    const set = read("permissionsets/Isobridge_Integration.permissionset");
    expect(textsOf(set, "field")).toEqual([`Case.${markerField}`]);
    expect(textsOf(set, "name")).toContain("ApiEnabled");
    expect(textsOf(set, "object")).toContain("Case");
  });

  it("names all that it holds", () => {
    expect(textsOf(read("package.xml"), "members")).toEqual([`Case.${markerField}`, "Isobridge_Integration"]);
  });
});
