/** Numbers of advisory locks, which all programs of a database share. */
const REVISIONS_LOCK = "7305803162";
const CLIENTS_LOCK = "730580316";

/**
 * What Postgres needs because several connections write at the same time. Each entry is a statement of one
 * migration.
 */
export const CONCURRENCY: readonly string[] = [
  // Whoever takes a number for a change holds a lock until the change is visible. So a reader that has
  // waited for all locks of that kind misses no change up to a number.
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
  // Counts a client's running downloads, one counter at a time: no other statement claims a download of
  // this client until the counting one has ended.
  `CREATE FUNCTION active_of(client TEXT) RETURNS BIGINT LANGUAGE plpgsql AS $$
    BEGIN
      PERFORM pg_advisory_xact_lock(${CLIENTS_LOCK}, hashtext(client));
      RETURN (SELECT COUNT(*) FROM downloads
        WHERE client_id = client AND status IN ('downloading', 'verifying'));
    END $$`,
  // Changes that were made, with their answers, until the server that made them has received these.
  `CREATE TABLE made_changes (
      server TEXT NOT NULL,
      number BIGINT NOT NULL,
      made_at BIGINT NOT NULL,
      answer TEXT NOT NULL,
      PRIMARY KEY (server, number)
    )`,
];
