import type { IncomingRunInput } from "../run-input.ts";
import { type Item, listOf } from "./changes.ts";

interface CommentAfter {
  id?: string;
  remoteId?: string;
  body: string;
  internal: boolean;
  author?: unknown;
  track?: boolean;
}

interface Lists {
  comments: CommentAfter[];
  internalComments: CommentAfter[];
}

type Change = (comment: Record<string, unknown>) => unknown;

export interface Comments {
  merge(entity: unknown, replica: unknown, change?: unknown): void;
  add(body: unknown, options?: unknown): void;
}

/** `comments` of an incoming rule. */
export function commentsOf(input: IncomingRunInput): Comments {
  return {
    merge(entity: unknown, replica: unknown, change?: unknown): void {
      if (change !== undefined && typeof change !== "function") throw new TypeError("comments.merge needs a function as its third argument");
      // A function was just seen; what it answers is checked where it is used.
      merge(listsOf(entity, "comments.merge"), replica, input, change as Change | undefined);
    },
    add(body: unknown, options?: unknown): void {
      if (typeof body !== "string") throw new TypeError("comments.add needs text");
      if (body === "") return;
      const { internal, track } = (typeof options === "object" && options !== null ? options : {}) as { internal?: unknown; track?: unknown };
      // The run's own view, whose lists hold what the engine put there.
      put(listsOf(input.entity, "comments.add"), { body, internal: internal === true, track: track === true });
    },
  };
}

/**
 * Adds remote comments that have no trace, edits those whose body differs from the replica before, removes those that were in it and are
 * not any more. A traced comment that the replica before did not hold is left alone: nothing says that it was edited.
 */
function merge(lists: Lists, replica: unknown, input: IncomingRunInput, change: Change | undefined): void {
  const traces = input.traces.comments;
  const now = listOf(replica, "comments");
  const before = new Map(listOf(input.previous, "comments").map((comment) => [comment.id, comment]));
  for (const remote of now) {
    const old = before.get(remote.id);
    if (!Object.hasOwn(traces, remote.id)) {
      const made = render(remote, change, input);
      if (made !== undefined) put(lists, { remoteId: remote.id, ...made });
    } else if (old !== undefined && old.body !== remote.body) {
      const local = find(lists, traces[remote.id]?.localId);
      const made = local === undefined ? undefined : render(remote, change, input);
      if (local !== undefined && made !== undefined) local.body = made.body;
    }
  }
  const still = new Set(now.map((comment) => comment.id));
  for (const id of before.keys()) {
    if (!still.has(id) && Object.hasOwn(traces, id)) remove(lists, traces[id]?.localId);
  }
}

/** The comment as it is to be written here, or undefined when the rule leaves it out. */
function render(remote: Item, change: Change | undefined, input: IncomingRunInput): { body: string; internal: boolean; author?: unknown } | undefined {
  const body = remote.body;
  if (typeof body !== "string" || body === "") return undefined;
  const internal = remote.internal === true;
  if (change === undefined) return { body: withAuthor(body, nameOf(remote.author)), internal };
  const answer = change({ ...remote, internal });
  if (answer === undefined || answer === null) return undefined;
  if (typeof answer !== "object") throw new TypeError("the function given to comments.merge must return a comment, or undefined to leave it out");
  if ("then" in answer) throw new TypeError("the function given to comments.merge cannot wait: ask for users before merging");
  const { body: newBody, internal: newInternal, author } = answer as { body?: unknown; internal?: unknown; author?: unknown };
  if (newBody !== undefined && typeof newBody !== "string") throw new TypeError("the body of a comment must be text");
  if (newBody === "") return undefined;
  const isAsked = author !== undefined && author !== null && author !== "" && author !== remote.author;
  // A body that the function set stays exactly so.
  const isOwn = newBody !== undefined && newBody !== body;
  // Who cannot write in somebody's name names him; an id alone is no name.
  const name = isAsked ? nameOf(author) || nameOf(remote.author) : nameOf(remote.author);
  const isSigned = isOwn || (isAsked && input.platform?.impersonation === true);
  const made = { body: isOwn ? newBody : isSigned ? body : withAuthor(body, name), internal: newInternal === undefined ? internal : newInternal === true };
  return isAsked ? { ...made, author } : made;
}

/** How people call a person, or the value of a field that refers to one. Empty when nothing says so. */
function nameOf(author: unknown): string {
  if (typeof author !== "object" || author === null) return "";
  const { displayName, display, username } = author as { displayName?: unknown; display?: unknown; username?: unknown };
  for (const name of [displayName, display, username]) if (typeof name === "string" && name !== "") return name;
  return "";
}

/** `[Alice Smith] text`: readable in every dialect. The name comes from the other side, so nothing that could be markup stays in it. */
function withAuthor(body: string, name: string): string {
  const clean = name
    .replace(/[<>[\]&\s]+/g, " ")
    .trim()
    .slice(0, 200);
  return clean === "" ? body : `[${clean}] ${body}`;
}

function listsOf(entity: unknown, caller: string): Lists {
  if (typeof entity !== "object" || entity === null) throw new TypeError(`${caller} needs the entity`);
  const lists = entity as Partial<Lists>;
  lists.comments ??= [];
  lists.internalComments ??= [];
  if (!Array.isArray(lists.comments) || !Array.isArray(lists.internalComments)) throw new TypeError(`${caller}: the entity's comments are not a list any more`);
  return lists as Lists;
}

function put(lists: Lists, comment: CommentAfter): void {
  (comment.internal ? lists.internalComments : lists.comments).push(comment);
}

function find(lists: Lists, localId: string | undefined): CommentAfter | undefined {
  return localId === undefined ? undefined : [...lists.comments, ...lists.internalComments].find((comment) => comment.id === localId);
}

function remove(lists: Lists, localId: string | undefined): void {
  if (localId === undefined) return;
  lists.comments = lists.comments.filter((comment) => comment.id !== localId);
  lists.internalComments = lists.internalComments.filter((comment) => comment.id !== localId);
}
