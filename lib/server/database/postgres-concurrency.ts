/** Names of advisory locks, in the one space of numbers that all programs of a database share. */
const REVISIONS_LOCK = "7305803162";
const CLIENTS_LOCK = "730580316";

/** What Postgres needs as several write at once there: each a statement of one migration. */
export const CONCURRENCY: readonly string[] = [
  // Several write at once in Postgres. Whoever takes a number for a change holds a lock until the
  // change is there, so who has waited for all locks of that kind has missed none up to a number.
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
  // How many downloads of a client run, counted by one at a time: nobody else claims one of this
  // client until the statement that counts has ended.
  `CREATE FUNCTION active_of(client TEXT) RETURNS BIGINT LANGUAGE plpgsql AS $$
    BEGIN
      PERFORM pg_advisory_xact_lock(${CLIENTS_LOCK}, hashtext(client));
      RETURN (SELECT COUNT(*) FROM downloads
        WHERE client_id = client AND status IN ('downloading', 'verifying'));
    END $$`,
  // Changes that were made, with what they gave, until whoever made them knows.
  `CREATE TABLE made_changes (
      server TEXT NOT NULL,
      number BIGINT NOT NULL,
      made_at BIGINT NOT NULL,
      answer TEXT NOT NULL,
      PRIMARY KEY (server, number)
    )`,
];
