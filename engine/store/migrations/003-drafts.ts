import { type Kysely, sql } from "kysely";

/** The life of a rule before and after it is published: drafts, samples, check reports, drift; tables of values; what a run may keep. */
export async function up(db: Kysely<unknown>): Promise<void> {
  // Drawn for each save of a draft and never given twice: an editor that holds the revision of a discarded draft cannot hit a later one.
  await sql`create sequence draft_revision`.execute(db);
  await sql`create table draft (
    side_id uuid not null references side on delete cascade,
    direction text not null check (direction in ('outgoing', 'incoming')),
    source text not null,
    based_on integer,
    revision bigint not null default nextval('draft_revision'),
    author text not null,
    created_at timestamptz not null default now(),
    updated_at timestamptz not null default now(),
    primary key (side_id, direction))`.execute(db);

  // What the check before publishing found; null for versions that are older than this column.
  await sql`alter table rule_version add column report jsonb`.execute(db);
  // The declarations that versions were checked against, once each: a later look can say what changed since.
  await sql`create table declaration (hash text primary key, content text not null, created_at timestamptz not null default now())`.execute(db);

  await sql`create table sample (
    id uuid primary key default gen_random_uuid(),
    side_id uuid not null references side on delete cascade,
    direction text not null check (direction in ('outgoing', 'incoming')),
    name text not null,
    content jsonb not null,
    pinned boolean not null,
    run_id uuid,
    author text not null,
    updated_at timestamptz not null default now(),
    unique (side_id, direction, name))`.execute(db);

  await sql`create table drift (
    side_id uuid not null references side on delete cascade,
    direction text not null,
    version_id uuid not null references rule_version on delete cascade,
    checked_at timestamptz not null default now(),
    declarations_hash text,
    changed boolean not null,
    changes jsonb not null,
    breaks jsonb not null,
    problem jsonb,
    primary key (side_id, direction))`.execute(db);

  // Work that some runner does from time to time: whoever moves the date on does it.
  await sql`create table chore (name text primary key, due_at timestamptz not null)`.execute(db);

  // Tables of values by their content: a run names the ones it was given, and keeps them readable after they changed.
  await sql`create table mapping_set (hash text primary key, tables jsonb not null, created_at timestamptz not null default now())`.execute(db);
  await sql`alter table side add column mappings_hash text references mapping_set`.execute(db);
  // Names of fields whose values no recorded run may show.
  await sql`alter table side add column redact jsonb not null default '[]'`.execute(db);
  await sql`alter table connection add column keep_runs_days integer`.execute(db);
  await sql`alter table connection add column keep_runs integer`.execute(db);

  await sql`alter table run add column mappings_hash text`.execute(db);
  // What is not as it was: {fields: […], secrets: true, cut: […]}; null when the run is recorded whole.
  await sql`alter table run add column withheld jsonb`.execute(db);
  // Retention goes by age within a connection; shadow runs ask for the last ones of a side and direction.
  await sql`drop index run_age`.execute(db);
  await sql`create index run_age on run (connection_id, created_at)`.execute(db);
  await sql`create index run_rule on run (side_id, direction, number)`.execute(db);
  // Runs and twins are looked up by a record's id as well as by its key.
  await sql`create index twin_side_record on twin_side (entity_id)`.execute(db);
}
