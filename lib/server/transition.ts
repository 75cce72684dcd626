import { MAX_FAILURES, MAX_RESTARTS, meaningOf, type Problem } from "../protocol/errors.ts";
import {
  type Active,
  type Common,
  common,
  type Completed,
  type Download,
  type Downloading,
  durableOffsetOf,
  hasEnded,
  type Queued,
  type Verifying,
} from "./download.ts";
import type { DownloadEvent, Effect, Transition } from "./download-event.ts";

/*
 * The state machine of a download, as a pure function: transition(download, event) returns the next state
 * and, as data, the effects to carry out. The event brings the time, in ms since 1970.
 *
 *   queued ──claimed──▶ downloading ──received──▶ verifying ──published──▶ completed
 *     ▲                     │                         │
 *     └── lost, or failed with another try left ──────┘      any ──▶ failed, cancelled
 *
 * The repository makes the claim (queued → downloading) by one statement that also checks the limits.
 */

/**
 * Returns the next state of a download. An event that does not apply in this state, or that belongs to
 * another attempt, returns the same object and no effects. A download that has ended ignores every event
 * except `retried`.
 */
export function transition(download: Download, event: DownloadEvent): Transition {
  if (event.type === "retried") return recordRetry(download, event.as);
  if (hasEnded(download)) return unchanged(download);
  if (event.type === "cancelled") return cancel(download, event.now);
  if (event.type === "given_up") {
    if (download.status !== "queued") return unchanged(download);
    const { problem, now } = event;
    return problem === null ? cancel(download, now) : end(download, problem, now);
  }
  if (event.type === "rate_limited") {
    const effects: Effect[] = [{ type: "apply_rate_limit" }];
    return { next: { ...download, rateLimit: event.rateLimit }, effects };
  }
  if (download.status === "queued" || event.epoch !== download.epoch) return unchanged(download);
  switch (event.type) {
    case "lost":
      return { next: requeue(download, event.now, null), effects: [dispatch] };
    case "failed":
      return fail(download, event.problem, event.now, event.final ?? false);
  }
  if (download.status === "downloading") {
    switch (event.type) {
      case "started":
        return start(download, event);
      case "checkpoint":
        return checkpoint(download, event);
      case "listed": {
        const { source, files, unmatched } = event;
        return { next: { ...download, source, files, unmatched }, effects: [] };
      }
      case "gave_way": {
        const queued = requeue(download, event.now + GIVE_WAY_MS, event.problem);
        // Two machines that share an id have different files. No file changed, so restarts count from 0.
        const { resetsRestarts } = meaningOf(event.problem.code);
        const next = resetsRestarts ? { ...queued, restarts: 0 } : queued;
        return { next, effects: [dispatch, warn(`waits: ${event.problem.message}`)] };
      }
      case "received":
        return receive(download, event);
      case "nothing":
        return completeEmpty(download, event);
    }
    return unchanged(download);
  }
  switch (event.type) {
    case "renamed":
      return {
        next: {
          ...download,
          savedPath: event.savedPath,
          digest: event.digest ?? download.digest,
        },
        effects: [],
      };
    case "published":
      return publish(download, event);
  }
  return unchanged(download);
}

const discard: Effect = { type: "discard_part" };
const dispatch: Effect = { type: "dispatch" };

function warn(message: string): Effect {
  return { type: "log", level: "warn", message };
}

function unchanged(download: Download): Transition {
  return { next: download, effects: [] };
}

function start(
  download: Downloading,
  event: Extract<DownloadEvent, { type: "started" }>,
): Transition {
  if (event.offset === download.durableOffset) {
    // On resume, the file's size at its first opening stays: a log that grew is delivered as it was then.
    const source =
      download.source && event.offset > 0
        ? { ...download.source, chunkSize: event.source.chunkSize }
        : event.source;
    return { next: { ...download, source }, effects: [] };
  }
  const reason = event.reason ?? "the client starts over";
  if (download.restarts >= MAX_RESTARTS) {
    return end(download, { code: "source_changed", message: reason }, event.now);
  }
  return {
    next: {
      ...download,
      source: event.source,
      durableOffset: 0,
      restarts: download.restarts + 1,
    },
    effects: [warn(`starts over, ${download.durableOffset} durable bytes discarded: ${reason}`)],
  };
}

function checkpoint(
  download: Downloading,
  { durableOffset, bytesOnWire, set }: Extract<DownloadEvent, { type: "checkpoint" }>,
): Transition {
  const isBehind = durableOffset < download.durableOffset;
  if (isBehind || (durableOffset === download.durableOffset && !set)) return unchanged(download);
  const { source, files } = download;
  return {
    next: {
      ...download,
      durableOffset,
      bytesOnWire,
      source: source && set ? { ...source, totalSize: set.totalSize } : source,
      files: set?.files ?? files,
      failures: 0,
    },
    effects: [],
  };
}

function receive(
  download: Downloading,
  event: Extract<DownloadEvent, { type: "received" }>,
): Transition {
  const { source } = download;
  if (!source || (!event.files && source.totalSize !== event.size)) return unchanged(download);
  return {
    next: {
      ...common(download),
      status: "verifying",
      startedAt: download.startedAt,
      bytesOnWire: event.bytesOnWire,
      source: { ...source, totalSize: event.size },
      files: event.files ?? null,
      digest: event.digest,
      savedPath: event.savedPath,
    },
    effects: [],
  };
}

function publish(
  download: Verifying,
  { now, storedBytes }: Extract<DownloadEvent, { type: "published" }>,
): Transition {
  const { source, digest, savedPath } = download;
  const bytes = storedBytes ?? source.totalSize;
  return complete(download, { completedAt: now, source, digest, savedPath, storedBytes: bytes });
}

function completeEmpty(
  download: Downloading,
  { now, digest, chunkSize }: Extract<DownloadEvent, { type: "nothing" }>,
): Transition {
  const files = { total: 0, received: 0, unchanged: 0, skipped: 0 };
  const source = { identity: null, totalSize: 0, chunkSize };
  const stored = { savedPath: null, storedBytes: 0 };
  const unmatched = [...(download.set?.paths.keys() ?? [])];
  return complete(
    { ...download, files, unmatched },
    { completedAt: now, source, digest, ...stored },
  );
}

function complete(
  download: Active,
  result: Omit<Completed, keyof Common | "status" | "startedAt" | "removedAt">,
): Transition {
  const { startedAt } = download;
  const next = { ...common(download), ...result, status: "completed", startedAt } as const;
  return { next: { ...next, removedAt: null }, effects: [{ type: "confirm_client" }, dispatch] };
}

function requeue(download: Active, notBefore: number, problem: Problem | null): Queued {
  return {
    ...common(download),
    status: "queued",
    startedAt: download.startedAt,
    source: download.source,
    durableOffset: durableOffsetOf(download),
    notBefore,
    problem,
  };
}

function fail(download: Active, problem: Problem, now: number, final: boolean): Transition {
  const retry = final ? "never" : meaningOf(problem.code).retry;
  switch (retry) {
    case "later": {
      const failures = download.failures + 1;
      if (failures >= MAX_FAILURES) break;
      const at = now + 1000 * 4 ** (failures - 1);
      const next = { ...requeue(download, at, problem), failures };
      return { next, effects: [dispatch, warn(`tries again: ${problem.message}`)] };
    }
    case "restart": {
      if (download.restarts >= MAX_RESTARTS) break;
      const next: Queued = {
        ...requeue(download, now, problem),
        source: null,
        durableOffset: 0,
        restarts: download.restarts + 1,
      };
      const message = `starts over, ${durableOffsetOf(download)} durable bytes discarded: ${problem.message}`;
      return { next, effects: [discard, dispatch, warn(message)] };
    }
    case "when_room": {
      const at = now + ROOM_RECHECK_MS;
      return {
        next: requeue(download, at, problem),
        effects: [dispatch, warn(`waits: ${problem.message}`)],
      };
    }
  }
  return end(download, problem, now);
}

/** Pause until a download that waits for disk space checks again, in ms. */
const ROOM_RECHECK_MS = 5_000;

/**
 * Wait, in ms, before the next attempt of a download that was stopped so that others can run. It is longer
 * than {@link ROOM_RECHECK_MS}, so that downloads that wait for space are tried before this one.
 */
const GIVE_WAY_MS = 2 * ROOM_RECHECK_MS;

/** Longest wait before another attempt, in ms. */
export const LONGEST_WAIT_MS = 60_000;

function recordRetry(download: Download, retriedAs: string): Transition {
  if (download.status !== "failed" && download.status !== "cancelled") return unchanged(download);
  // A job has exactly one newest download for each client, so a replacement is recorded only once.
  if (download.jobId !== null && download.retriedAs !== null) return unchanged(download);
  return { next: { ...download, retriedAs }, effects: [] };
}

function end(download: Queued | Active, problem: Problem, now: number): Transition {
  return {
    next: {
      ...common(download),
      status: "failed",
      startedAt: download.startedAt,
      completedAt: now,
      source: download.source,
      durableOffset: durableOffsetOf(download),
      problem,
      retriedAs: null,
    },
    effects: [discard, dispatch, warn(`failed: ${problem.message}`)],
  };
}

/**
 * Cancels a download. One that is being published cannot be cancelled, as its content may already have its
 * final name.
 */
function cancel(download: Queued | Active, now: number): Transition {
  if (download.status === "verifying") return unchanged(download);
  return {
    next: {
      ...common(download),
      status: "cancelled",
      startedAt: download.startedAt,
      completedAt: now,
      source: download.source,
      durableOffset: download.durableOffset,
      retriedAs: null,
    },
    effects: [{ type: "stop_client" }, discard, dispatch],
  };
}
