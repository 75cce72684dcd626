import type { JobPlan } from "../job.ts";
import type { Keep } from "../keep.ts";
import type {
  Due,
  NextTime,
  RequestedRun,
  Schedule,
  ScheduledJob,
  ScheduleFilter,
  ScheduleRows,
} from "../schedule.ts";
import { type SqlDatabase, UniqueViolation } from "./database.ts";
import { indexed } from "./engines.ts";
import { tableOfSites } from "./list-sql.ts";
import { numberOrNull } from "./rows.ts";
import { assignments, insertion, list, sql, type Statement } from "./statement.ts";

/**
 * Limit on the rows of deliveries or jobs that one statement deletes for a removed schedule. Such a statement
 * takes a few milliseconds at most.
 */
const FORGOTTEN_AT_ONCE = 500;

/**
 * Limit on the old rows of deliveries or jobs that one statement deletes for an existing schedule. Such a
 * statement takes about a millisecond.
 */
const PRUNED_AT_ONCE = 100;

interface ScheduleRow {
  scheduleId: string;
  name: string;
  cron: string;
  timeZone: string | null;
  plan: string;
  job: string;
  spreadMs: number | null;
  catchUpMs: number;
  overlap: Schedule["overlap"];
  due: string;
  expect: string;
  keep: string | null;
  paused: Schedule["paused"] | "removed";
  since: number;
  timing: number;
  createdAt: number;
  createdBy: string | null;
  createdWith: string | null;
  revision: number;
}

interface ScheduledJobRow extends Omit<ScheduledJob, "isMade"> {
  isMade: number;
}

interface RunRow extends Omit<RequestedRun, "clientIds"> {
  clientIds: string;
}

/** Condition for schedules that are not being removed. */
const IS_NOT_REMOVED = sql`(paused IS NULL OR paused <> 'removed')`;

/**
 * Reads and writes the rows of schedules, of their next times, of the jobs that they made, and of requested
 * runs.
 */
export class SchedulesSql implements ScheduleRows {
  constructor(private readonly database: SqlDatabase) {}

  async insert(schedule: Schedule): Promise<boolean> {
    try {
      await this.database.runDurably(
        sql`INSERT INTO schedules ${insertion({ ...toRow(schedule) })}`,
      );
      return true;
    } catch (error) {
      if (error instanceof UniqueViolation) return false;
      throw error;
    }
  }

  async get(name: string): Promise<Schedule | null> {
    const [row] = await this.database.run<ScheduleRow>(sql`
      SELECT * FROM schedules WHERE name = ${name} AND ${IS_NOT_REMOVED}`);
    return row ? toSchedule(row) : null;
  }

  async byId(scheduleId: string): Promise<Schedule | null> {
    const [row] = await this.database.run<ScheduleRow>(sql`
      SELECT * FROM schedules WHERE schedule_id = ${scheduleId} AND ${IS_NOT_REMOVED}`);
    return row ? toSchedule(row) : null;
  }

  async list({ after, seenBy, limit }: ScheduleFilter): Promise<Schedule[]> {
    const rows = await this.database.run<ScheduleRow>(sql`
      SELECT * FROM schedules WHERE ${IS_NOT_REMOVED}
        ${after === undefined ? sql`` : sql`AND name > ${after}`}
        ${seenBy ? isSeenBy(seenBy) : sql``}
      ORDER BY name LIMIT ${limit}`);
    return rows.map(toSchedule);
  }

  async count(): Promise<number> {
    const [row] = await this.database.run<{ count: number }>(sql`
      SELECT COUNT(*) AS count FROM schedules WHERE ${IS_NOT_REMOVED}`);
    return Number(row?.count ?? 0);
  }

  async replace(next: Schedule): Promise<Schedule | null> {
    const { scheduleId, revision, ...row } = toRow(next);
    const [written] = await this.database.runDurably<ScheduleRow>(sql`
      UPDATE schedules SET ${assignments({ ...row, revision: revision + 1 })}
      WHERE schedule_id = ${scheduleId} AND revision = ${revision} AND ${IS_NOT_REMOVED} RETURNING *`);
    return written ? toSchedule(written) : null;
  }

  async remove(scheduleId: string): Promise<void> {
    // Gives the schedule a name that no request can use, so that another schedule can have the old name at
    // once.
    await this.database.runDurably(sql`
      UPDATE schedules SET paused = 'removed', name = ${`/${scheduleId}`}, revision = revision + 1
      WHERE schedule_id = ${scheduleId}`);
  }

  async forget(): Promise<boolean> {
    const [removed] = await this.database.run<{ scheduleId: string }>(sql`
      SELECT schedule_id FROM schedules WHERE paused = 'removed' LIMIT 1`);
    if (!removed) return false;
    const { scheduleId } = removed;
    const isOfSchedule = sql`schedule_id = ${scheduleId}`;
    const deliveries = await this.database.run(sql`
      DELETE FROM deliveries WHERE ${isOfSchedule} AND (client_id, local_time) IN (
        SELECT client_id, local_time FROM deliveries WHERE ${isOfSchedule} LIMIT ${FORGOTTEN_AT_ONCE})
      RETURNING client_id`);
    if (deliveries.length > 0) return true;
    const jobs = await this.database.run(sql`
      DELETE FROM schedule_jobs WHERE ${isOfSchedule} AND (time_zone, local_time) IN (
        SELECT time_zone, local_time FROM schedule_jobs WHERE ${isOfSchedule} LIMIT ${FORGOTTEN_AT_ONCE})
      RETURNING time_zone`);
    if (jobs.length > 0) return true;
    await this.database.run(sql`DELETE FROM schedule_times WHERE ${isOfSchedule}`);
    await this.database.run(sql`DELETE FROM schedules WHERE ${isOfSchedule}`);
    return true;
  }

  async forgetBefore(scheduleId: string, localTime: string): Promise<boolean> {
    const isOfSchedule = sql`schedule_id = ${scheduleId}`;
    const isOld = sql`${isOfSchedule} AND local_time < ${localTime}`;
    const deliveries = await this.database.run(sql`
      DELETE FROM deliveries WHERE ${isOfSchedule} AND (client_id, local_time) IN (
        SELECT client_id, local_time FROM ${indexed("deliveries", "deliveries_by_time")}
        WHERE ${isOld} AND status NOT IN ('expected', 'running') LIMIT ${PRUNED_AT_ONCE})
      RETURNING client_id`);
    if (deliveries.length > 0) return true;
    const jobs = await this.database.run(sql`
      DELETE FROM schedule_jobs WHERE ${isOfSchedule} AND (time_zone, local_time) IN (
        SELECT time_zone, local_time FROM schedule_jobs
        WHERE ${isOld} AND is_made = 1 LIMIT ${PRUNED_AT_ONCE})
      RETURNING time_zone`);
    return jobs.length > 0;
  }

  async times(scheduleId: string): Promise<NextTime[]> {
    const rows = await this.database.run<NextTime>(sql`
      SELECT * FROM schedule_times WHERE schedule_id = ${scheduleId} ORDER BY time_zone`);
    return rows.map(toTime);
  }

  async addTimes(times: readonly NextTime[]): Promise<void> {
    if (times.length === 0) return;
    const rows = times.map(
      ({ scheduleId, timeZone, at, timing }) => sql`(${scheduleId}, ${timeZone}, ${at}, ${timing})`,
    );
    await this.database.runDurably(sql`
      INSERT INTO schedule_times (schedule_id, time_zone, at, timing) VALUES ${list(rows)}
      ON CONFLICT (schedule_id, time_zone) DO UPDATE SET at = excluded.at, timing = excluded.timing
        WHERE schedule_times.timing < excluded.timing`);
  }

  async moveTime(before: NextTime, at: number | null, timing: number): Promise<void> {
    // Not flushed to disk: if a power cut undoes the change, the time `before` is handled again, and the job
    // for this time is found to exist.
    const isUnchanged = sql`schedule_id = ${before.scheduleId} AND time_zone = ${before.timeZone}
      AND at = ${before.at} AND timing = ${before.timing}`;
    await this.database.run(
      at === null
        ? sql`DELETE FROM schedule_times WHERE ${isUnchanged}`
        : sql`UPDATE schedule_times SET at = ${at}, timing = ${timing} WHERE ${isUnchanged}`,
    );
  }

  async dueTimes(now: number, limit: number): Promise<NextTime[]> {
    const rows = await this.database.run<NextTime>(sql`
      SELECT times.* FROM schedule_times AS times
      JOIN schedules ON schedules.schedule_id = times.schedule_id
      WHERE times.at <= ${now} AND schedules.paused IS NULL
      ORDER BY times.at LIMIT ${limit}`);
    return rows.map(toTime);
  }

  async nextAt(): Promise<number | null> {
    const [row] = await this.database.run<{ at: number }>(sql`
      SELECT times.at FROM schedule_times AS times
      JOIN schedules ON schedules.schedule_id = times.schedule_id
      WHERE schedules.paused IS NULL
      ORDER BY times.at LIMIT 1`);
    return row ? Number(row.at) : null;
  }

  async begin(scheduledJob: ScheduledJob): Promise<ScheduledJob> {
    const { scheduleId, timeZone, localTime } = scheduledJob;
    // Not flushed to disk: the job is written after this row, and flushing the job flushes both.
    await this.database.run(sql`
      INSERT INTO schedule_jobs ${insertion({ ...scheduledJob, isMade: Number(scheduledJob.isMade) })}
      ON CONFLICT DO NOTHING`);
    const [row] = await this.database.run<ScheduledJobRow>(sql`
      SELECT * FROM schedule_jobs WHERE schedule_id = ${scheduleId}
        AND time_zone = ${timeZone} AND local_time = ${localTime}`);
    return row ? { ...row, at: Number(row.at), isMade: Number(row.isMade) === 1 } : scheduledJob;
  }

  async finish({ scheduleId, timeZone, localTime }: ScheduledJob): Promise<void> {
    // Not flushed to disk: if a power cut undoes the change, the server tries to make the job again, and
    // finds that it exists.
    await this.database.run(sql`
      UPDATE schedule_jobs SET is_made = 1 WHERE schedule_id = ${scheduleId}
        AND time_zone = ${timeZone} AND local_time = ${localTime}`);
  }

  async insertRuns(runs: readonly RequestedRun[]): Promise<void> {
    if (runs.length === 0) return;
    const rows = runs.map((run): RunRow => ({
      ...run,
      clientIds: JSON.stringify(run.clientIds),
    }));
    await this.database.runDurably(sql`INSERT INTO schedule_runs ${insertion(...rows)}`);
  }

  async listRuns(): Promise<RequestedRun[]> {
    const rows = await this.database.run<RunRow>(sql`SELECT * FROM schedule_runs ORDER BY job_id`);
    return rows.map(({ clientIds, ...run }) => ({
      ...run,
      at: Number(run.at),
      clientIds: JSON.parse(clientIds) as string[],
    }));
  }

  async removeRun(jobId: string): Promise<void> {
    await this.database.run(sql`DELETE FROM schedule_runs WHERE job_id = ${jobId}`);
  }
}

function isSeenBy({ sites, tokenHash }: NonNullable<ScheduleFilter["seenBy"]>): Statement {
  return sql`AND (created_with = ${tokenHash} OR EXISTS (
    SELECT 1 FROM deliveries WHERE deliveries.schedule_id = schedules.schedule_id
      AND deliveries.client_id IN (SELECT value FROM ${tableOfSites(sites)})))`;
}

function toTime({ scheduleId, timeZone, at, timing }: NextTime): NextTime {
  return { scheduleId, timeZone, at: Number(at), timing: Number(timing) };
}

function toRow(schedule: Schedule): ScheduleRow {
  const { plan, job, due, expect, keep, ...same } = schedule;
  return {
    ...same,
    plan: JSON.stringify(plan),
    job: JSON.stringify(job),
    due: JSON.stringify(due),
    expect: JSON.stringify(expect),
    keep: keep && JSON.stringify(keep),
  };
}

function toSchedule({ paused, ...row }: ScheduleRow): Schedule {
  return {
    ...row,
    paused: paused === "removed" ? null : paused,
    plan: JSON.parse(row.plan) as JobPlan,
    job: JSON.parse(row.job) as unknown,
    spreadMs: numberOrNull(row.spreadMs),
    catchUpMs: Number(row.catchUpMs),
    due: JSON.parse(row.due) as Due,
    expect: JSON.parse(row.expect) as Schedule["expect"],
    keep: row.keep === null ? null : (JSON.parse(row.keep) as Keep),
    since: Number(row.since),
    timing: Number(row.timing),
    createdAt: Number(row.createdAt),
    revision: Number(row.revision),
  };
}
