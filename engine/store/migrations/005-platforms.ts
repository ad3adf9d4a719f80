import { type Kysely, sql } from "kysely";

/** What platforms say unasked (who listens to which instance, how far, which webhook deliveries are known), and signing in to them with a browser. */
export async function up(db: Kysely<unknown>): Promise<void> {
  // Counts the hints that a watch was given: one that comes while the watch is being polled brings the next poll forward all the same.
  await sql`alter table watch add column hints bigint not null default 0`.execute(db);
  // Whether the instance's connector can listen as it is configured; null while nobody has asked it.
  await sql`alter table instance add column listens boolean`.execute(db);
  // Obtained by the node itself, as by signing in with a browser: a configuration that is applied again leaves it alone.
  await sql`alter table secret add column kept boolean not null default false`.execute(db);
  // The fingerprint of what a configuration said last, where it said anything: a platform may have replaced that since.
  await sql`alter table secret add column given text`.execute(db);
  await sql`update secret set given = fingerprint`.execute(db);
  await sql`create table listening (
    instance_id uuid primary key references instance on delete cascade,
    owner uuid,
    locked_until timestamptz,
    fence bigint not null default 0,
    position text,
    heard_at timestamptz,
    attempts integer not null default 0,
    start_after timestamptz not null default now(),
    problem jsonb)`.execute(db);
  await sql`create table webhook_delivery (
    instance_id uuid not null references instance on delete cascade,
    delivery_id text not null,
    received_at timestamptz not null default now(),
    primary key (instance_id, delivery_id))`.execute(db);
  // Forgotten by age.
  await sql`create index webhook_delivery_age on webhook_delivery (received_at)`.execute(db);
  // Sign-ins that a person began in a browser and that have not come back yet.
  await sql`create table sign_in (
    state_hash text primary key,
    instance_id uuid not null references instance on delete cascade,
    verifier jsonb not null,
    redirect_uri text not null,
    author text not null,
    began_at timestamptz not null default now())`.execute(db);
  // Set when a tied record was found to be gone, so that this is said once.
  await sql`alter table twin_side add column missing_since timestamptz`.execute(db);
  // How far the search for such records is, by side.
  await sql`create table sweep (
    side_id uuid primary key references side on delete cascade,
    after bigint not null default 0,
    began_at timestamptz not null default now(),
    due_at timestamptz not null default now())`.execute(db);
}
