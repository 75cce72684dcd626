import type { Database } from "bun:sqlite";
import { downloads } from "./migrations/01-downloads.ts";
import { revisions } from "./migrations/02-revisions.ts";
import { checksumsAndRates } from "./migrations/03-checksums-and-rates.ts";
import { tokensAndSessions } from "./migrations/04-tokens-and-sessions.ts";
import { bytesOnWire } from "./migrations/05-bytes-on-wire.ts";
import { waiting } from "./migrations/06-waiting.ts";
import { enrolmentKeys } from "./migrations/07-enrolment-keys.ts";
import { audit } from "./migrations/08-audit.ts";
import { dueTimes } from "./migrations/09-due-times.ts";
import { sessionOrigins } from "./migrations/10-session-origins.ts";
import { auditBounds } from "./migrations/11-audit-bounds.ts";
import { sessionBounds } from "./migrations/12-session-bounds.ts";
import { sets } from "./migrations/13-sets.ts";
import { totals } from "./migrations/14-totals.ts";
import { storedFiles } from "./migrations/15-stored-files.ts";
import { labels } from "./migrations/16-labels.ts";
import { postgresConcurrency } from "./migrations/17-postgres-concurrency.ts";
import { jobs } from "./migrations/18-jobs.ts";
import { jobCounts } from "./migrations/19-job-counts.ts";
import { datesInPaths } from "./migrations/20-dates-in-paths.ts";
import { retention } from "./migrations/21-retention.ts";
import { servers } from "./migrations/22-servers.ts";
import { webhooks } from "./migrations/23-webhooks.ts";
import { signInCodes } from "./migrations/24-sign-in-codes.ts";
import { schedules } from "./migrations/25-schedules.ts";
import { deliveryEvents } from "./migrations/26-delivery-events.ts";
import { unreachedMessages } from "./migrations/27-unreached-messages.ts";
import { unmatchedPatterns } from "./migrations/28-unmatched-patterns.ts";
import { scheduleRuns } from "./migrations/29-schedule-runs.ts";
import type { Change } from "./migrations/change.ts";

/**
 * The migrations of the database's schema. The n-th entry leads from version n - 1 to version n. A released
 * entry is never changed, and there is no migration back. During an upgrade, servers of the previous version
 * use the database, too. So an entry removes nothing that they need, and new columns have defaults.
 */
const MIGRATIONS: readonly (readonly Change[])[] = [
  downloads,
  revisions,
  checksumsAndRates,
  tokensAndSessions,
  bytesOnWire,
  waiting,
  enrolmentKeys,
  audit,
  dueTimes,
  sessionOrigins,
  auditBounds,
  sessionBounds,
  sets,
  totals,
  storedFiles,
  labels,
  postgresConcurrency,
  jobs,
  jobCounts,
  datesInPaths,
  retention,
  servers,
  webhooks,
  signInCodes,
  schedules,
  deliveryEvents,
  unreachedMessages,
  unmatchedPatterns,
  scheduleRuns,
];

/** Returns the statements that migrate a database to a version from the version before it. */
export function changesTo(version: number, engine: "sqlite" | "postgres"): string[] {
  const changes = MIGRATIONS[version - 1] ?? [];
  return changes.flatMap((change) =>
    typeof change === "string" ? [change] : (change[engine] ?? []),
  );
}

/** Version of the schema that this program reads and writes. */
export const LATEST_VERSION = MIGRATIONS.length;

/**
 * Migrates a SQLite database to the version of the schema that this program needs, each step in its own
 * transaction.
 * @param target version of the schema at which to stop
 * @throws Error, with nothing changed, if a newer program made the database
 */
export function migrate(database: Database, target = LATEST_VERSION): void {
  database.run(`CREATE TABLE IF NOT EXISTS schema_version (
    version BIGINT PRIMARY KEY, applied_at BIGINT NOT NULL
  )`);
  const latest = "SELECT MAX(version) AS version FROM schema_version";
  const version = database.query<{ version: number | null }, []>(latest).get()?.version ?? 0;
  refuseNewer(version);
  for (let next = version + 1; next <= target; next++) {
    apply(database, next, changesTo(next, "sqlite"));
  }
}

/**
 * Refuses a database that this program must not use.
 * @param usableFrom version of the oldest program that may use the database
 * @throws Error if this program is older
 */
export function refuseNewer(version: number, usableFrom = version): void {
  if (usableFrom <= LATEST_VERSION) return;
  throw new Error(
    `start the newer program that made it, it has version ${version} and this program knows up to version ${LATEST_VERSION}`,
  );
}

function apply(database: Database, version: number, statements: readonly string[]): void {
  const step = database.transaction(() => {
    // The row of this version already exists if another program, which started at the same time, has made
    // this step.
    const { changes } = database.run(
      "INSERT INTO schema_version (version, applied_at) VALUES (?, ?) ON CONFLICT DO NOTHING",
      [version, Date.now()],
    );
    if (changes === 0) return;
    for (const statement of statements) database.run(statement);
  });
  step.immediate();
}
