import type { SalesforceConfig } from "./config.ts";
import type { SalesforceObject } from "./schema.ts";

/** Where the comments and files of an object are, as describe shows: not every object has every room, and administrators close some. */
export interface Rooms {
  /** Case comments, the Chatter feed, or nowhere. */
  readonly comments: { readonly kind: "caseComments"; readonly relationship: string } | { readonly kind: "feed" } | { readonly kind: "none" };
  /** The relationship to `EmailMessage`, where e-mails are to be read as comments. */
  readonly emails: string | undefined;
  /** The relationship to `ContentDocumentLink`, where the object takes files. */
  readonly files: string | undefined;
  /** The relationship to the older `Attachment`, which is read but no longer written. */
  readonly oldAttachments: string | undefined;
}

/** The relationships of every org's cases [K], for a description that tells of none at all. */
const standard: ReadonlyMap<string, string> = new Map([
  ["Case CaseComment", "CaseComments"],
  ["Case EmailMessage", "EmailMessages"],
  ["Case ContentDocumentLink", "ContentDocumentLinks"],
  ["Case Attachment", "Attachments"],
]);

export function roomsOf(object: SalesforceObject, { comments, emails }: Pick<SalesforceConfig, "comments" | "emails">): Rooms {
  const told = object.childRelationships.length > 0;
  const relationship = (child: string, field: string) =>
    told
      ? (object.childRelationships.find((entry) => entry.childSObject === child && entry.field === field)?.relationshipName ?? undefined)
      : standard.get(`${object.name} ${child}`);
  const caseComments = comments === "CaseComment" ? relationship("CaseComment", "ParentId") : undefined;
  return {
    comments: caseComments !== undefined ? { kind: "caseComments", relationship: caseComments } : object.feedEnabled ? { kind: "feed" } : { kind: "none" },
    emails: emails === "ignored" ? undefined : relationship("EmailMessage", "ParentId"),
    files: relationship("ContentDocumentLink", "LinkedEntityId"),
    oldAttachments: relationship("Attachment", "ParentId"),
  };
}
