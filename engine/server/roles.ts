import type { Role } from "../store/schema.ts";
import { ApiError } from "./body.ts";

/** What a role may do: all that the roles beside it may. An operator keeps things moving, a publisher says what runs; neither is more than the other. */
const includes: Readonly<Record<Role, readonly Role[]>> = {
  viewer: ["viewer"],
  editor: ["viewer", "editor"],
  publisher: ["viewer", "editor", "publisher"],
  operator: ["viewer", "operator"],
  admin: ["viewer", "editor", "publisher", "operator", "admin"],
};

const rule = "/api/connections/{name}/sides/{side}/rules/{direction}";
const library = "/api/libraries/{library}";

/** Every call of the API with the least role that may make it. One that is not named here is an admin's. */
export const leastRoles: Readonly<Record<string, Role>> = {
  "get /api/instances": "viewer",
  "get /api/instances/{name}": "viewer",
  "get /api/connections": "viewer",
  "get /api/connections/{name}": "viewer",
  "get /api/rules": "viewer",
  "get /api/rule-versions": "viewer",
  "get /api/rule-versions/{id}": "viewer",
  "get /api/rule-versions/{id}/comparison/{other}": "viewer",
  [`get ${rule}/declarations`]: "viewer",
  [`get ${rule}/draft`]: "viewer",
  [`get ${rule}/draft/comparison`]: "viewer",
  [`get ${rule}/samples`]: "viewer",
  [`get ${rule}/samples/{sample}`]: "viewer",
  "get /api/connections/{name}/sides/{side}/mappings": "viewer",
  "get /api/libraries": "viewer",
  [`get ${library}`]: "viewer",
  [`get ${library}/versions`]: "viewer",
  [`get ${library}/draft`]: "viewer",
  [`get ${library}/draft/comparison`]: "viewer",
  "get /api/library-versions/{id}": "viewer",
  "get /api/library-versions/{id}/comparison/{other}": "viewer",
  "get /api/recipes": "viewer",
  "get /api/recipes/{name}": "viewer",
  "get /api/drift": "viewer",
  "get /api/triggers": "viewer",
  "get /api/triggers/{id}": "viewer",
  "get /api/twins": "viewer",
  "get /api/twins/{id}": "viewer",
  "get /api/messages": "viewer",
  "get /api/messages/{id}": "viewer",
  "get /api/runs": "viewer",
  "get /api/runs/{id}": "viewer",
  "get /api/failures": "viewer",
  "get /api/failures/{id}": "viewer",

  [`post ${rule}/check`]: "editor",
  [`put ${rule}/draft`]: "editor",
  [`delete ${rule}/draft`]: "editor",
  [`post ${rule}/samples`]: "editor",
  [`put ${rule}/samples/{sample}`]: "editor",
  [`delete ${rule}/samples/{sample}`]: "editor",
  [`post ${rule}/try`]: "editor",
  [`post ${rule}/preview`]: "editor",
  [`post ${rule}/shadow`]: "editor",
  "post /api/runs/{id}/replay": "editor",
  [`post ${library}/check`]: "editor",
  [`put ${library}/draft`]: "editor",
  [`delete ${library}/draft`]: "editor",
  "post /api/connections/{name}/sides/{side}/drift": "editor",

  [`post ${rule}/versions`]: "publisher",
  [`post ${rule}/draft/publish`]: "publisher",
  "post /api/rule-versions/{id}/activate": "publisher",
  [`post ${library}/versions`]: "publisher",
  [`post ${library}/draft/publish`]: "publisher",
  "post /api/library-versions/{id}/activate": "publisher",

  "post /api/instances/{name}/check": "operator",
  "post /api/failures/{id}/retry": "operator",
  "post /api/failures/{id}/skip": "operator",
  "post /api/connections/{name}/sides/{side}/sync": "operator",

  "post /api/instances/{name}/sign-in": "admin",
};

/** Refuses a call that the caller's role may not make. `path` is as OpenAPI writes it. */
export function requireRole(role: Role, method: string, path: string): void {
  const least = leastRoles[`${method} ${path}`] ?? "admin";
  if (includes[role].includes(least)) return;
  const enough = (Object.keys(includes) as Role[]).filter((each) => includes[each].includes(least));
  throw new ApiError(403, "FORBIDDEN", `This call needs the role ${enough.join(" or ")}; this token has the role ${role}.`);
}

/** The right "override": whoever publishes although pinned samples fail, or brings a text back that no longer checks, answers for the node. */
export function requireOverride(role: Role, despite: string | undefined): void {
  if (despite === undefined || role === "admin") return;
  throw new ApiError(403, "FORBIDDEN", `Publishing although pinned samples fail (\`despite\`) needs the role admin; this token has the role ${role}.`);
}
