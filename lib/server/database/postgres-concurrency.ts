/** Numbers of advisory locks. All programs that use a database share them. */
const REVISIONS_LOCK = "7305803162";
const CLIENTS_LOCK = "730580316";

/**
 * Statements of a migration that only Postgres needs, because several connections write to it at the same
 * time. SQLite runs one statement at a time.
 */
export const CONCURRENCY: readonly string[] = [
  // A statement that takes a revision holds a shared lock until its change is visible. A reader takes the
  // exclusive lock, so it waits for such statements, and misses no change up to the returned revision.
  `CREATE SEQUENCE revisions`,
  `CREATE FUNCTION next_revision() RETURNS BIGINT LANGUAGE plpgsql AS $$
    BEGIN
      PERFORM pg_advisory_xact_lock_shared(${REVISIONS_LOCK});
      RETURN nextval('revisions');
    END $$`,
  `CREATE FUNCTION settled_revision() RETURNS BIGINT LANGUAGE plpgsql AS $$
    DECLARE latest BIGINT;
    BEGIN
      SELECT CASE WHEN is_called THEN last_value ELSE 0 END INTO latest FROM revisions;
      PERFORM pg_advisory_xact_lock(${REVISIONS_LOCK});
      RETURN latest;
    END $$`,
  // Counts a client's running downloads. A lock lets only one transaction count at a time, so that no other
  // one claims a download of this client meanwhile.
  `CREATE FUNCTION active_of(client TEXT) RETURNS BIGINT LANGUAGE plpgsql AS $$
    BEGIN
      PERFORM pg_advisory_xact_lock(${CLIENTS_LOCK}, hashtext(client));
      RETURN (SELECT COUNT(*) FROM downloads
        WHERE client_id = client AND status IN ('downloading', 'verifying'));
    END $$`,
  // The result of each change that was made. A row is kept at least until the server that made the change has
  // received the result.
  `CREATE TABLE made_changes (
      server TEXT NOT NULL,
      number BIGINT NOT NULL,
      made_at BIGINT NOT NULL,
      answer TEXT NOT NULL,
      PRIMARY KEY (server, number)
    )`,
];
