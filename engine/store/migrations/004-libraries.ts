import { type Kysely, sql } from "kysely";

/** Shared libraries of the node; what each token may do; which paths of a platform rules may write to. */
export async function up(db: Kysely<unknown>): Promise<void> {
  await sql`create table library_version (
    id uuid primary key default gen_random_uuid(),
    library text not null,
    number integer not null,
    source text not null,
    hash text not null,
    note text not null,
    author text not null,
    created_at timestamptz not null default now(),
    unique (library, number))`.execute(db);
  await sql`create table library (name text primary key, active_version_id uuid not null references library_version)`.execute(db);
  // The libraries whose text is part of a rule version's program, those that libraries import included.
  await sql`create table rule_version_library (
    rule_version_id uuid not null references rule_version on delete cascade,
    library_version_id uuid not null references library_version,
    primary key (rule_version_id, library_version_id))`.execute(db);
  // Publishing a library asks which rules it is part of.
  await sql`create index rule_version_library_library on rule_version_library (library_version_id)`.execute(db);

  // A draft is of a rule or of a library.
  await sql`alter table draft drop constraint draft_pkey`.execute(db);
  await sql`alter table draft alter column side_id drop not null, alter column direction drop not null, add column library text`.execute(db);
  await sql`alter table draft add constraint draft_subject check ((library is null) = (side_id is not null and direction is not null))`.execute(db);
  await sql`create unique index draft_rule on draft (side_id, direction) where library is null`.execute(db);
  await sql`create unique index draft_library on draft (library) where library is not null`.execute(db);

  // Tokens made before there were roles could do everything.
  await sql`alter table api_token add column role text not null default 'admin'
    check (role in ('viewer', 'editor', 'publisher', 'operator', 'admin'))`.execute(db);
  // Methods and paths that rules of the side may write to by platform.request.
  await sql`alter table side add column allow jsonb not null default '[]'`.execute(db);
}
