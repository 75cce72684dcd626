import type { InTurn } from "../../util/fair-turns.ts";
import type { Sites } from "../access/sites.ts";
import {
  type DeliveryRows,
  DELIVERY_STATUSES,
  type TimeBounds,
  type TimeOnBoard,
} from "../schedule.ts";

/** Number of deliveries read per database query, which takes about a millisecond. */
const PIECE = 400;

/**
 * Limit on the deliveries of one response. Once the limit is reached, no further occurrence is added, so that
 * the response stays small.
 */
const MAX_CELLS = 50_000;

/**
 * Limit on the local times that are read for one response, including those without a client that the caller
 * may see.
 */
const MAX_TIMES = 1_000;

export interface BoardFilter extends TimeBounds {
  /** Only the deliveries of these clients; null: all clients. */
  sites: Sites | null;
  /** Limit on the number of local times. */
  limit: number;
}

export interface Board {
  times: TimeOnBoard[];
  /** The next page of the board has the local times before this one; null: no earlier times exist. */
  next: string | null;
}

type BoardRows = Pick<DeliveryRows, "cells" | "newestTime">;

/**
 * Returns the board of a schedule: its local times, newest first, each with its clients grouped by delivery
 * status. Only the fields that the board shows are included, so that one response has room for many times of
 * many clients.
 * @param inTurn runs one query, taking turns with other callers
 */
export async function boardOf(
  rows: BoardRows,
  scheduleId: string,
  { sites, limit, ...bounds }: BoardFilter,
  inTurn: InTurn,
): Promise<Board> {
  const times: TimeOnBoard[] = [];
  let before = bounds.before;
  for (let cells = 0, timesRead = 0; ; timesRead++) {
    const within = { ...bounds, before };
    const localTime = await inTurn(() => rows.newestTime(scheduleId, within));
    if (localTime === undefined) return { times, next: null };
    const isFull = times.length === limit || cells >= MAX_CELLS || timesRead === MAX_TIMES;
    if (isFull) return { times, next: before ?? null };
    const time = await timeOf(rows, { scheduleId, localTime }, sites, inTurn);
    const count = DELIVERY_STATUSES.reduce((sum, one) => sum + time.clients[one].length, 0);
    if (count > 0) times.push(time);
    cells += count;
    before = localTime;
  }
}

async function timeOf(
  rows: BoardRows,
  key: { scheduleId: string; localTime: string },
  sites: Sites | null,
  inTurn: InTurn,
): Promise<TimeOnBoard> {
  const clients = Object.fromEntries(DELIVERY_STATUSES.map((status) => [status, []]));
  const time: TimeOnBoard = {
    localTime: key.localTime,
    clients: clients as unknown as TimeOnBoard["clients"],
    nextDueAt: null,
    jobIds: new Set(),
  };
  for (let after = "", isMore = true; isMore;) {
    const cells = await inTurn(() => rows.cells(key, after, sites, PIECE));
    for (const { clientId, status, jobId, dueAt } of cells) {
      time.clients[status].push(clientId);
      if (jobId !== null) time.jobIds.add(jobId);
      const isAwaited = status === "expected" || status === "running";
      if (isAwaited) time.nextDueAt = Math.min(time.nextDueAt ?? Infinity, dueAt);
    }
    after = cells.at(-1)?.clientId ?? "";
    isMore = cells.length === PIECE;
  }
  return time;
}
