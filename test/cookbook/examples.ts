import { type MappingTables, parseMappings } from "../../engine/configuration/mappings.ts";
import { isJsonObject, type Json, type JsonObject } from "../../engine/replica/json.ts";
import type { Direction } from "../../engine/rules/declarations.ts";
import type { Platform } from "./instances.ts";

/** A rule on a page of the documentation: ```` ```ts incoming ````, with what it is given and what it comes to in the blocks that follow. */
export interface Example {
  /** Where it stands, counted from 1. */
  readonly line: number;
  readonly direction: Direction;
  readonly platform: Platform;
  readonly source: string;
  /** What differs from the records that all examples of the page run on. */
  readonly given: JsonObject;
  readonly result: JsonObject | undefined;
}

interface Block {
  readonly line: number;
  readonly info: string;
  readonly text: string;
}

/** Outgoing examples speak of ServiceNow and incoming ones of Salesforce, unless the block says otherwise. Throws for a block of TypeScript that says no direction. */
export function examplesIn(page: string): Example[] {
  const blocks = blocksOf(page);
  return blocks.flatMap((block, index): Example[] => {
    if (!/^ts\b/.test(block.info) || libraryBlock.test(block.info)) return [];
    const match = /^ts (outgoing|incoming)(?: (salesforce|servicenow))?$/.exec(block.info);
    if (match === null) throw new Error(`line ${block.line}: a block of TypeScript must say whether it is an outgoing or an incoming rule`);
    // The expression gives these words only.
    const direction = match[1] as Direction;
    const platform = (match[2] ?? (direction === "outgoing" ? "servicenow" : "salesforce")) as Platform;
    const next = blocks.slice(index + 1, index + 3);
    const given = next[0]?.info === "json given" ? objectOf(next[0]) : {};
    const last = next[0]?.info === "json given" ? next[1] : next[0];
    return [{ line: block.line, direction, platform, source: block.text, given, result: last?.info === "json result" ? objectOf(last) : undefined }];
  });
}

/** The shared libraries that a page shows, by name: ```` ```ts library status ````. */
export function exampleLibraries(page: string): Record<string, string> {
  return Object.fromEntries(
    blocksOf(page).flatMap((block) => {
      const name = libraryBlock.exec(block.info)?.[1];
      return name === undefined ? [] : [[name, block.text]];
    }),
  );
}

const libraryBlock = /^ts library ([\w-]+)$/;

/** The records and the replica that the examples run on, read from the page that shows them. */
export function readExampleRecords(page: string): { sample(direction: Direction, platform: Platform, given: JsonObject): JsonObject } {
  const named = new Map(blocksOf(page).map((block) => [block.info, block]));
  const read = (info: string): JsonObject => {
    const block = named.get(info);
    if (block === undefined) throw new Error(`the page has no block "${info}"`);
    return objectOf(block);
  };
  const entities = { salesforce: read("json record salesforce"), servicenow: read("json record servicenow") };
  const replica = read("json replica");
  return {
    sample: (direction, platform, given) => {
      const whole: Record<string, Json> = { direction, entity: entities[platform], ...(direction === "incoming" ? { replica } : {}), ...given };
      // `"entity": null` is how an example says that this is the first sync.
      if (whole["entity"] === null) delete whole["entity"];
      return whole;
    },
  };
}

/** The mapping tables that a page shows for its examples. */
export function mappingsIn(page: string): MappingTables {
  const block = blocksOf(page).find(({ info }) => info === "yaml mappings");
  if (block === undefined) return {};
  const { tables, problems } = parseMappings(block.text, `the block on line ${block.line}`);
  if (problems.length > 0) throw new Error(problems.join("\n"));
  return tables;
}

function blocksOf(page: string): Block[] {
  return [...page.matchAll(/^```(\S.*)\n([\s\S]*?)^```$/gm)].map((match) => ({
    line: page.slice(0, match.index).split("\n").length,
    info: match[1] ?? "",
    text: match[2] ?? "",
  }));
}

function objectOf({ line, text }: Block): JsonObject {
  const value = JSON.parse(text) as Json; // JSON.parse gives nothing else
  if (!isJsonObject(value)) throw new Error(`line ${line}: an object was expected`);
  return value;
}
