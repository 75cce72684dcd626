import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Repository } from "../../../lib/server/database/repository.ts";
import { openSqlRepository } from "../../../lib/server/database/sql.ts";
import { type Download, newDownload } from "../../../lib/server/download.ts";
import { INSERTED_AT_ONCE, type Job, type JobPlan } from "../../../lib/server/job.ts";
import { JobMaking, type JobOrigin } from "../../../lib/server/jobs/making.ts";
import type { Schedule } from "../../../lib/server/schedule.ts";
import { Clockwork } from "../../../lib/server/schedules/clockwork.ts";
import { Deliveries } from "../../../lib/server/schedules/deliveries.ts";
import { Occurrences } from "../../../lib/server/schedules/occurrences.ts";
import { Timetable } from "../../../lib/server/schedules/timetable.ts";
import { Logger } from "../../../lib/util/logger.ts";
import { client, completed } from "../database/samples.ts";

/** A database in a temporary folder, which is removed when this is disposed. */
export class Rows implements AsyncDisposable {
  private constructor(
    private readonly folder: string,
    readonly repository: Repository,
  ) {}

  /** @param parent the folder in which the temporary folder is made */
  static async open(parent = tmpdir()): Promise<Rows> {
    const folder = await mkdtemp(join(parent, "fds-schedules-"));
    return new Rows(folder, await openSqlRepository(`sqlite://${join(folder, "state.db")}`));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.repository.close();
    await rm(this.folder, { recursive: true, force: true });
  }
}

/** The parts of a server that depend on the clock, with a clock that the test sets. */
export class Night {
  /** The server's clock, in ms since 1970. */
  now = 0;
  readonly clockwork: Clockwork;
  readonly deliveries: Deliveries;
  readonly timetable: Timetable;
  readonly occurrences: Occurrences;
  /** The jobs that schedules have made. */
  readonly made: Job[] = [];

  constructor(
    readonly rows: Repository,
    private readonly onMade: (downloads: Download[], at: number) => void = () => undefined,
  ) {
    const logger = new Logger({ level: "error", format: "json", write: () => undefined });
    const now = () => this.now;
    const making = new JobMaking(rows);
    const createFor = async (plan: JobPlan, clientIds: readonly string[], origin: JobOrigin) => {
      const job = await making.write(plan, clientIds, origin);
      const downloads: Download[] = [];
      for (let at = 0; at < clientIds.length; at += INSERTED_AT_ONCE) {
        const several = clientIds.slice(at, at + INSERTED_AT_ONCE).map((clientId) => {
          const { ifOffline: _, ...order } = plan.order;
          const asked = { ...order, clientId, jobId: job.jobId, localTime: null };
          return { download: newDownload(Bun.randomUUIDv7(), asked, this.now), startsAt: null };
        });
        downloads.push(...(await rows.jobs.insertDownloads(several)));
      }
      this.made.push(job);
      this.onMade(downloads, this.now);
      return job;
    };
    this.timetable = new Timetable(rows);
    this.occurrences = new Occurrences({ repository: rows, jobs: { createFor } });
    const { deliveries, schedules } = rows;
    this.deliveries = new Deliveries({ rows: deliveries, schedules, now, logger });
    this.clockwork = new Clockwork({
      repository: rows,
      timetable: this.timetable,
      occurrences: this.occurrences,
      deliveries: this.deliveries,
      pause: async (schedule) =>
        void (await rows.schedules.replace({ ...schedule, paused: "token_ended" })),
      now,
      logger,
    });
  }

  /** Starts the server at this time, in ms since 1970. */
  async begin(now: number): Promise<void> {
    this.now = now;
    await this.timetable.mend(now);
    await this.clockwork.step(now);
    await this.deliveries.updateOpen();
  }

  /** Sets the clock to this time, in ms since 1970, and makes what is due. */
  async at(now: number): Promise<void> {
    this.now = now;
    await this.clockwork.step(now);
  }
}

export async function addClients(rows: Repository, count: number, zones: readonly string[]) {
  const ids = Array.from({ length: count }, (_, n) => `site-${String(n).padStart(3, "0")}`);
  for (const [n, id] of ids.entries()) {
    const reportedTimeZone = zones[n % zones.length]!;
    await rows.registerClient(client(id, { reportedTimeZone }), null);
  }
  return ids;
}

/** Returns a schedule that asks all clients every night, with these fields changed. */
export function scheduleOf(fields: Partial<Schedule> = {}): Schedule {
  return {
    scheduleId: Bun.randomUUIDv7(),
    name: "nightly",
    cron: "30 2 * * *",
    timeZone: null,
    plan: {
      name: null,
      selection: { all: true },
      membership: "snapshot",
      order: { filePath: "a", set: null, checksum: "md5", rateLimit: null, ifOffline: "wait" },
      download: {},
      maxConcurrent: null,
      spreadMs: 0,
      stopWhen: null,
      keep: null,
      expiresIn: null,
    },
    job: {},
    spreadMs: null,
    catchUpMs: 6 * 3_600_000,
    overlap: "skip",
    due: { afterMs: 2 * 3_600_000 },
    expect: { files: 1, bytes: 0 },
    keep: null,
    paused: null,
    since: 0,
    timing: 1,
    createdAt: 0,
    createdBy: null,
    createdWith: null,
    revision: 1,
    ...fields,
  };
}

let files = 0;

/** Returns the completed state of a download that ends at this time, in ms since 1970. */
export function completedAt(download: Download, at: number): Download {
  const { downloadId, clientId, jobId, filePath, rateLimit, createdAt, revision } = download;
  return {
    ...completed,
    downloadId,
    clientId,
    jobId,
    revision,
    filePath,
    rateLimit,
    createdAt,
    checksum: "md5",
    source: { identity: null, totalSize: 1, chunkSize: 1 },
    storedBytes: 1,
    savedPath: `${clientId}/${files++}`,
    startedAt: at,
    completedAt: at,
  };
}
