import type { SimulatorPage } from "../../simulation/page.ts";

/** What the simulator says about itself to a person who opens its address, with the controls that only this platform has. */
export const about: SimulatorPage = {
  title: "Simulated Salesforce org",
  about: [
    "REST API under /services/data/v60.0 (v31.0 to v67.0): sobjects, query, composite (batch, graph, tree, collections), jobs (Bulk API 2.0), limits. Sign-in under /services/oauth2 (JWT bearer, client credentials, web server with PKCE, refresh, password). SOAP under /services/Soap/u/60.0: login, merge, undelete, emptyRecycleBin. Streaming API under /cometd/60.0: change events, platform events, push topics, generic channels, replay.",
    "A record's page is at /{id}. Nothing here leaves this process, except Outbound Messages to the addresses that they are told to go to.",
  ],
  controls: [
    ["POST /__control/session/expire", "Ends every session; polls of the Streaming API hear it at once."],
    ["POST /__control/session/lifetime", '{"ms": 900000}: how long sessions last.'],
    [
      "POST /__control/oauth",
      '{"agreeing": "username" or null, "rotate": true}: who agrees to the web-server flow without being asked; whether refresh tokens are used up.',
    ],
    ["POST /__control/oauth/revoke", "Ends every refresh token."],
    ["GET /__control/tables, GET /__control/tables/{object}", "How many rows there are; the rows of an object as they are kept."],
    ["PATCH /__control/tables/{object}/{id}", "Changes a row past all rules, stamps included."],
    ["DELETE /__control/tables/{object}/{id}", "Takes a row away for ever."],
    ["POST /__control/tables/{object}/{id}/undelete", "Restores a row from the recycle bin."],
    ["POST /__control/merge", '{"object", "master", "losers": [ids]}: merges Accounts, Contacts, Leads or Cases.'],
    ["POST /__control/seed", '{"object", "count", "fields": {"Subject": "Case {n}"}}: makes many rows that share one second.'],
    [
      "POST /__control/objects, POST /__control/fields/{object}, DELETE /__control/fields/{object}/{field}",
      "Changes the schema: custom objects, platform events (…__e), formula fields (“formula”: “{Status}/{Priority}”).",
    ],
    ["POST /__control/limits", '{"used", "max", "concurrentRefusals"}: the day\'s quota, and how many of the next calls are refused as too many at a time.'],
    ["POST /__control/query-batch", '{"size": 250}: most rows of one page of a query.'],
    ["POST /__control/replication", '{"lagMs", "idLimit"}: how far latestDateCovered lags behind; when EXCEEDED_ID_LIMIT is answered.'],
    ["POST /__control/replication/purge", "Forgets the log of deletions: earliestDateAvailable is now."],
    [
      "POST /__control/validations",
      '[{"object", "field", "equals" or "when" or "required", "message", "errorCode"}]: validation rules, and triggers that refuse.',
    ],
    ["POST /__control/automations", '[{"object", "on", "when", "set", "comment", "before", "afterMs"}]: flows before, after, and a while after a save.'],
    ["POST /__control/duplicate-rules", '[{"name", "object", "fields", "allowSave"}]'],
    ["POST /__control/assignment-rules", '[{"object", "when", "ownerId"}]'],
    ["POST /__control/security", '[{"object", "profile", "hiddenFields", "readOnlyFields", "denied", "rows": "own" or "readAllWriteOwn"}]'],
    ["POST /__control/hidden, POST /__control/read-only", '{"ids"}: single records that API users do not see, or may not write.'],
    ["POST /__control/locks", '{"ids", "times", "status": 400 or 500}: UNABLE_TO_LOCK_ROW for the next writes of these records.'],
    ["POST /__control/late-commits", '{"ms", "times"}: the next saves are stamped now and seen later.'],
    [
      "POST /__control/options",
      '{"commentTouchesCase": true, "extensionsMislead": true}: whether comments touch their case; whether an external id like a@x.inc is not found.',
    ],
    ["GET /__control/events", "What was published and is kept."],
    [
      "POST /__control/events/faults, DELETE …",
      '{"kind": "lose", "vanish", "duplicate", "delay" or "reorder", "times", "ms", "channel"}: what happens to the next events.',
    ],
    ["POST /__control/events/gap", '{"object", "type": "GAP_UPDATE" or "GAP_OVERFLOW" …, "ids"}: publishes a gap.'],
    ["POST /__control/events/gaps", '{"times"}: the next changes are told of as gaps.'],
    ["PUT /__control/events/selected", '["Case"] or null: the objects that change events are published of.'],
    ["POST /__control/streaming/timeout, POST /__control/streaming/forget-after", '{"ms"}: how long polls wait; how long clients may stay away.'],
    ["POST /__control/streaming/drop", "Ends every poll and forgets every client."],
    ["PUT /__control/outbound-messages", '[{"name", "object", "url", "fields", "on": ["create", "update"], "when", "sessionOf"}]'],
    ["GET /__control/outbound-messages", "What waits to be sent or acknowledged."],
    ["POST /__control/outbound-messages/faults", '{"kind": "lose", "duplicate", "reorder" or "stranger", "times"}; POST …/retry {"ms"} sets the first wait.'],
  ],
};
