import { createHash, randomBytes } from "node:crypto";
import type { Tables } from "../../simulation/tables.ts";
import { TokenError } from "./accounts.ts";
import type { Row } from "./org.ts";

/** A code can be exchanged once and within a quarter of an hour [K]. */
const codeMs = 15 * 60_000;
const codes = "__codes";
const refreshTokens = "__refresh";

export interface AuthorizationRequest {
  readonly clientId: string;
  readonly redirectUri: string;
  readonly scope: string;
  /** The S256 challenge of PKCE. */
  readonly challenge: string | undefined;
}

/** Codes and refresh tokens of the web-server flow; kept with the records, so that a restart does not end them. */
export class WebServerFlow {
  /** Whether each refresh gives a new refresh token and ends the old one. */
  rotate = false;
  readonly #tables: Tables<Row>;
  readonly #now: () => number;

  constructor(tables: Tables<Row>, now: () => number) {
    this.#tables = tables;
    this.#now = now;
  }

  /** A code for a user who agreed. */
  code(userId: string, { clientId, redirectUri, scope, challenge }: AuthorizationRequest): string {
    const code = `aPrx${randomBytes(32).toString("base64url")}`;
    this.#tables.put(codes, code, { Id: code, userId, clientId, redirectUri, scope, challenge: challenge ?? null, at: this.#now() });
    return code;
  }

  /** Exchanges a code, once: whose it is, and a refresh token where that was asked for. Throws {@link TokenError}. */
  exchange(params: URLSearchParams): { userId: string; refreshToken: string | undefined; scope: string } {
    const code = params.get("code") ?? "";
    const row = this.#tables.get(codes, code);
    if (row === undefined || row.clientId !== params.get("client_id")) throw new TokenError("invalid_grant", "invalid authorization code");
    this.#tables.delete(codes, code);
    if (this.#now() - Number(row.at) > codeMs) throw new TokenError("invalid_grant", "expired authorization code");
    if (row.redirectUri !== params.get("redirect_uri")) throw new TokenError("redirect_uri_mismatch", "redirect_uri must match configuration");
    if (row.challenge !== null && row.challenge !== challengeOf(params.get("code_verifier") ?? ""))
      throw new TokenError("invalid_grant", "invalid code verifier");
    const scope = String(row.scope);
    const wanted = /\b(refresh_token|offline_access|full)\b/.test(scope);
    return { userId: String(row.userId), refreshToken: wanted ? this.refreshToken(String(row.userId), String(row.clientId)) : undefined, scope };
  }

  refreshToken(userId: string, clientId: string): string {
    const token = `5Aep861${randomBytes(40).toString("hex")}`;
    this.#tables.put(refreshTokens, token, { Id: token, userId, clientId });
    return token;
  }

  /** Whose a refresh token is, and the one that takes its place where they are rotated. Throws {@link TokenError}. */
  refresh(params: URLSearchParams): { userId: string; refreshToken: string | undefined } {
    const token = params.get("refresh_token") ?? "";
    const row = this.#tables.get(refreshTokens, token);
    if (row === undefined || row.clientId !== params.get("client_id")) throw new TokenError("invalid_grant", "expired access/refresh token");
    if (!this.rotate) return { userId: String(row.userId), refreshToken: undefined };
    this.#tables.delete(refreshTokens, token);
    return { userId: String(row.userId), refreshToken: this.refreshToken(String(row.userId), String(row.clientId)) };
  }

  /** Ends a refresh token, if it is one: whose it was, and of which app. */
  revoke(token: string): { userId: string; clientId: string } | undefined {
    const row = this.#tables.get(refreshTokens, token);
    if (row === undefined) return undefined;
    this.#tables.delete(refreshTokens, token);
    return { userId: String(row.userId), clientId: String(row.clientId) };
  }

  revokeAll(): void {
    for (const { Id } of [...this.#tables.rows(refreshTokens)]) this.#tables.delete(refreshTokens, Id);
  }
}

function challengeOf(verifier: string): string {
  return createHash("sha256").update(verifier).digest("base64url");
}
