import { type Kysely, sql } from "kysely";

/** The tables of the first release. Each index is beside its table with the query that needs it. */
export async function up(db: Kysely<unknown>): Promise<void> {
  await sql`create table setting (key text primary key, value jsonb not null)`.execute(db);

  await sql`create table instance (
    id uuid primary key default gen_random_uuid(),
    name text not null unique,
    platform text not null,
    config jsonb not null,
    poll_interval_ms integer not null,
    stopped jsonb,
    created_at timestamptz not null default now())`.execute(db);

  await sql`create table secret (
    instance_id uuid not null references instance on delete cascade,
    name text not null,
    sealed jsonb not null,
    fingerprint text not null,
    primary key (instance_id, name))`.execute(db);

  await sql`create table connection (
    id uuid primary key default gen_random_uuid(),
    name text not null unique,
    active boolean not null default true,
    created_at timestamptz not null default now())`.execute(db);

  await sql`create table side (
    id uuid primary key default gen_random_uuid(),
    connection_id uuid not null references connection on delete cascade,
    position text not null check (position in ('left', 'right')),
    name text not null,
    instance_id uuid not null references instance,
    unique (connection_id, position),
    unique (connection_id, name))`.execute(db);

  await sql`create table watch (
    id uuid primary key default gen_random_uuid(),
    side_id uuid not null references side on delete cascade,
    kind text not null check (kind in ('trigger', 'twins')),
    entity_type text not null,
    query text not null,
    active boolean not null default true,
    cursor text,
    since timestamptz not null default now(),
    poll_after timestamptz not null default now(),
    locked_until timestamptz,
    owner uuid,
    fence bigint not null default 0,
    problem jsonb,
    unique (side_id, kind, entity_type, query))`.execute(db);
  // Runners claim the watch that is due longest.
  await sql`create index watch_due on watch (poll_after) where active`.execute(db);

  await sql`create table rule_version (
    id uuid primary key default gen_random_uuid(),
    side_id uuid not null references side on delete cascade,
    direction text not null check (direction in ('outgoing', 'incoming')),
    number integer not null,
    source text not null,
    code text not null,
    declarations_hash text not null,
    note text not null,
    author text not null,
    created_at timestamptz not null default now(),
    unique (side_id, direction, number))`.execute(db);
  await sql`create table rule (
    side_id uuid not null references side on delete cascade,
    direction text not null,
    active_version_id uuid not null references rule_version,
    primary key (side_id, direction))`.execute(db);

  await sql`create table twin (
    id uuid primary key default gen_random_uuid(),
    number bigint generated always as identity unique,
    connection_id uuid not null references connection on delete cascade,
    state text not null check (state in ('candidate', 'tied', 'ended')),
    created_at timestamptz not null default now())`.execute(db);
  // Lists are paged by number; one connection's by (connection_id, number).
  await sql`create index twin_list on twin (connection_id, number)`.execute(db);
  await sql`create table twin_side (
    twin_id uuid not null references twin on delete cascade,
    side_id uuid not null references side on delete cascade,
    entity_type text,
    entity_id text,
    entity_key text,
    entity_url text,
    shared boolean not null default false,
    active boolean not null default true,
    seen_version text,
    sent jsonb,
    sent_hash text,
    sent_sequence bigint not null default 0,
    replica_sequence bigint not null default 0,
    received jsonb,
    received_sequence bigint not null default 0,
    primary key (twin_id, side_id))`.execute(db);
  // One living twin per record and side, unless several share it on purpose; also how a poll finds its twins.
  await sql`create unique index twin_side_entity on twin_side (side_id, entity_type, entity_id) where active and not shared`.execute(db);
  await sql`create index twin_side_shared on twin_side (side_id, entity_type, entity_id) where shared`.execute(db);
  await sql`create index twin_side_key on twin_side (entity_key)`.execute(db);

  await sql`create table trace (
    id bigint generated always as identity primary key,
    twin_id uuid not null references twin on delete cascade,
    kind text not null check (kind in ('comment', 'attachment')),
    origin_side_id uuid not null,
    origin_id text not null,
    mirror_side_id uuid not null,
    mirror_id text not null,
    created_at timestamptz not null default now(),
    unique (twin_id, kind, origin_side_id, origin_id))`.execute(db);

  await sql`create table message (
    id bigint generated always as identity primary key,
    connection_id uuid not null references connection on delete cascade,
    twin_id uuid not null references twin on delete cascade,
    from_side_id uuid not null,
    to_side_id uuid not null,
    sequence bigint not null,
    kind text not null check (kind in ('replica', 'ack')),
    body jsonb not null,
    basis bigint not null,
    state text not null check (state in ('received', 'applied', 'skipped')),
    reason text,
    created_at timestamptz not null default now(),
    settled_at timestamptz,
    unique (connection_id, twin_id, from_side_id, sequence))`.execute(db);
  await sql`create index message_twin on message (twin_id, id)`.execute(db);
  await sql`create index message_list on message (connection_id, id)`.execute(db);

  await sql`create table intent (
    id bigint generated always as identity primary key,
    message_id bigint not null references message on delete cascade,
    twin_id uuid not null references twin on delete cascade,
    side_id uuid not null,
    ordinal integer not null,
    marker text not null unique,
    operation jsonb not null,
    state text not null check (state in ('intended', 'done', 'refused', 'absent')),
    result_id text,
    error jsonb,
    intended_at timestamptz not null default now(),
    settled_at timestamptz,
    unique (message_id, ordinal))`.execute(db);

  await sql`create table run (
    id uuid primary key default gen_random_uuid(),
    number bigint generated always as identity unique,
    connection_id uuid not null references connection on delete cascade,
    side_id uuid not null,
    twin_id uuid,
    version_id uuid not null,
    direction text not null,
    outcome text not null,
    reason text,
    input jsonb not null,
    calls jsonb not null,
    output jsonb,
    console jsonb not null,
    error jsonb,
    cpu_ms double precision not null,
    wall_ms double precision not null,
    created_at timestamptz not null default now())`.execute(db);
  // Lists go by number, of one connection or one twin too; retention by time.
  await sql`create index run_list on run (connection_id, number)`.execute(db);
  await sql`create index run_twin on run (twin_id, number)`.execute(db);
  await sql`create index run_age on run (created_at)`.execute(db);

  await sql`create table failure (
    id bigint generated always as identity primary key,
    lane_key text not null,
    job_id bigint not null,
    connection_id uuid not null references connection on delete cascade,
    twin_id uuid references twin on delete cascade,
    side_id uuid,
    run_id uuid,
    code text not null,
    fault text not null,
    message text not null,
    advice text,
    detail jsonb not null,
    created_at timestamptz not null default now(),
    resolved_at timestamptz,
    resolution text)`.execute(db);
  await sql`create index failure_open on failure (id) where resolved_at is null`.execute(db);
  await sql`create unique index failure_lane on failure (lane_key) where resolved_at is null`.execute(db);

  await sql`create table lane (
    key text primary key,
    connection_id uuid not null references connection on delete cascade,
    ready_at timestamptz not null default now(),
    locked_until timestamptz,
    owner uuid,
    fence bigint not null default 0,
    pending integer not null default 0,
    blocked_by bigint,
    attempts integer not null default 0)`.execute(db);
  // The claim: lanes with work that nobody holds and nothing blocks, longest ready first.
  await sql`create index lane_ready on lane (ready_at) where pending > 0 and blocked_by is null and locked_until is null`.execute(db);
  await sql`create index lane_held on lane (locked_until) where locked_until is not null`.execute(db);
  await sql`create table job (
    id bigint generated always as identity primary key,
    lane_key text not null references lane (key) on delete cascade,
    kind text not null,
    payload jsonb not null,
    dedupe_key text,
    created_at timestamptz not null default now())`.execute(db);
  await sql`create index job_lane on job (lane_key, id)`.execute(db);
  await sql`create unique index job_dedupe on job (lane_key, dedupe_key) where dedupe_key is not null`.execute(db);

  await sql`create table runner (
    id uuid primary key default gen_random_uuid(),
    host text not null,
    process text not null,
    pid integer not null,
    started_at timestamptz not null default now(),
    heartbeat_at timestamptz not null default now())`.execute(db);

  await sql`create table api_token (
    id uuid primary key default gen_random_uuid(),
    name text not null unique,
    hash text not null unique,
    created_at timestamptz not null default now())`.execute(db);
}
