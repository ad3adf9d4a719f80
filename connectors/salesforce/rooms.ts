import type { SalesforceConfig } from "./config.ts";
import type { SalesforceObject } from "./schema.ts";

/** Where the comments and files of an object are, as describe shows: not every object has every room, and administrators close some. */
export interface Rooms {
  /** Case comments, the Chatter feed, or nowhere. */
  readonly comments: { readonly kind: "caseComments"; readonly relationship: string } | { readonly kind: "feed" } | { readonly kind: "none" };
  /** The relationship to `ContentDocumentLink`, where the object takes files. */
  readonly files: string | undefined;
  /** The relationship to the older `Attachment`, which is read but no longer written. */
  readonly oldAttachments: string | undefined;
}

export function roomsOf(object: SalesforceObject, comments: SalesforceConfig["comments"]): Rooms {
  const relationship = (child: string, field: string) =>
    object.childRelationships.find((entry) => entry.childSObject === child && entry.field === field)?.relationshipName ?? undefined;
  const caseComments = comments === "CaseComment" ? relationship("CaseComment", "ParentId") : undefined;
  return {
    comments: caseComments !== undefined ? { kind: "caseComments", relationship: caseComments } : object.feedEnabled ? { kind: "feed" } : { kind: "none" },
    files: relationship("ContentDocumentLink", "LinkedEntityId"),
    oldAttachments: relationship("Attachment", "ParentId"),
  };
}
