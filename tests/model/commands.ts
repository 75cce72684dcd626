import { expect } from "bun:test";
import * as fc from "fast-check";
import type { Download } from "../../lib/server/download.ts";
import type { Job } from "../../lib/server/job.ts";
import { CHANGES } from "./memory-file.ts";
import type { MemoryWorld } from "./memory-world.ts";

/** The expected state of the server, as far as the steps of a test depend on it. */
export interface Model {
  full: boolean;
}

/** One random step of a model test, such as a cancel, with checks of its result. */
class Step implements fc.AsyncCommand<Model, MemoryWorld> {
  constructor(
    private readonly name: string,
    private readonly act: (world: MemoryWorld, model: Model) => Promise<void> | void,
  ) {}

  check(): boolean {
    return true;
  }

  async run(model: Model, world: MemoryWorld): Promise<void> {
    await this.act(world, model);
    await world.settle();
    await world.check();
  }

  toString(): string {
    return this.name;
  }
}

/** Picks one of the existing downloads by a random number; undefined if there are none. */
async function pick(world: MemoryWorld, n: number): Promise<Download | undefined> {
  const downloads = await world.downloads();
  return downloads[n % downloads.length];
}

async function request(world: MemoryWorld, { full }: Model): Promise<void> {
  expect(await world.request()).toBe(full ? "storage_full" : undefined);
}

async function cancel(world: MemoryWorld, n: number): Promise<void> {
  const before = await pick(world, n);
  if (!before) return;
  const isOver = ["completed", "failed", "cancelled"].includes(before.status);
  const refusal = await world.cancel(before.downloadId);
  expect(refusal).toBe(isOver ? "download_already_ended" : undefined);
  const after = await pick(world, n);
  expect(after?.status).toBe(isOver ? before.status : "cancelled");
}

async function retry(world: MemoryWorld, { full }: Model, n: number): Promise<void> {
  const before = await pick(world, n);
  if (!before) return;
  const refusals: Record<Download["status"], string | undefined> = {
    queued: "download_not_finished",
    downloading: "download_not_finished",
    verifying: "download_not_finished",
    completed: "download_already_ended",
    failed: full ? "storage_full" : undefined,
    cancelled: full ? "storage_full" : undefined,
  };
  // In a job, only the newest download of a client can be retried.
  const isOld = "retriedAs" in before && before.retriedAs !== null && before.jobId !== null;
  const count = (await world.downloads()).length;
  const refusal = await world.retry(before.downloadId);
  const expected = refusals[before.status];
  expect(refusal).toBe(isOld && expected === undefined ? "download_already_ended" : expected);
  const after = await world.downloads();
  expect(after).toHaveLength(refusal === undefined ? count + 1 : count);
  if (refusal !== undefined) return;
  const retried = after.find(({ downloadId }) => downloadId === before.downloadId);
  const newest = after
    .map(({ downloadId }) => downloadId)
    .toSorted()
    .at(-1);
  expect(retried).toHaveProperty("retriedAs", newest);
}

/** Picks one of the existing jobs by a random number; undefined if there are none. */
async function pickJob(world: MemoryWorld, n: number): Promise<Job | undefined> {
  const jobs = await world.jobs();
  return jobs[n % jobs.length];
}

const OPEN: ReadonlySet<Job["status"]> = new Set(["running", "paused"]);

/** Returns a step that changes a random job, and checks that a job that has ended refuses the change. */
const change =
  (
    act: (world: MemoryWorld, jobId: string) => Promise<string | undefined>,
    becomes: Job["status"],
  ) =>
  async (world: MemoryWorld, n: number): Promise<void> => {
    const before = await pickJob(world, n);
    if (!before) return;
    const refusal = await act(world, before.jobId);
    const after = await pickJob(world, n);
    if (!OPEN.has(before.status)) {
      expect([refusal, after?.status]).toEqual(["job_ended", before.status]);
    } else if (refusal === undefined && !OPEN.has(after!.status)) {
      // The job's last download may have ended at the same time, and the job with it.
      expect(["completed", "failed", becomes]).toContain(after!.status);
    } else if (refusal === undefined) expect(after?.status).toBe(becomes);
  };

const pauseJob = change((world, jobId) => world.pauseJob(jobId), "paused");
const resumeJob = change((world, jobId) => world.resumeJob(jobId), "running");
const cancelJob = change((world, jobId) => world.cancelJob(jobId), "cancelled");

async function rerunJob(world: MemoryWorld, n: number): Promise<void> {
  const before = await pickJob(world, n);
  if (!before) return;
  expect(await world.rerunJob(before.jobId)).toBeUndefined();
}

async function makeJob(world: MemoryWorld): Promise<void> {
  const count = (await world.jobs()).length;
  // The job is refused as long as its client has never connected.
  const refusal = await world.makeJob();
  expect(await world.jobs()).toHaveLength(refusal === undefined ? count + 1 : count);
  expect(refusal).toBeOneOf([undefined, "client_not_found"]);
}

async function drop(world: MemoryWorld): Promise<void> {
  world.drop();
  await world.settle();
  for (const { status } of await world.downloads()) expect(status).not.toBe("downloading");
}

async function setFull(world: MemoryWorld, model: Model, full: boolean): Promise<void> {
  // S3 does not tell its free space, so downloads are accepted and wait even if the bucket is full.
  model.full = full && world.storage.tellsOfRoom;
  world.setFull(full);
}

const anyDownload = fc.nat({ max: 7 });
const step = (name: string, act: (world: MemoryWorld, model: Model) => Promise<void> | void) =>
  fc.constant(new Step(name, act));

const frequent = [
  step("request", request),
  fc.integer({ min: 1, max: 3 }).map((n) => new Step(`flow ${n}`, (world) => world.flow(n))),
  fc
    .constantFrom(...CHANGES)
    .map((how) => new Step(`${how} the source`, (world) => world.change(how))),
];

/** Generates random lists of steps. fast-check shortens a failing list as far as possible. */
export const steps = fc.commands(
  [
    // The frequent steps are listed three times, so that other steps usually find downloads under way.
    ...frequent,
    ...frequent,
    ...frequent,
    anyDownload.map((n) => new Step(`cancel ${n}`, (world) => cancel(world, n))),
    anyDownload.map((n) => new Step(`retry ${n}`, (world, model) => retry(world, model, n))),
    step("make a job", makeJob),
    anyDownload.map((n) => new Step(`pause job ${n}`, (world) => pauseJob(world, n))),
    anyDownload.map((n) => new Step(`resume job ${n}`, (world) => resumeJob(world, n))),
    anyDownload.map((n) => new Step(`cancel job ${n}`, (world) => cancelJob(world, n))),
    anyDownload.map((n) => new Step(`rerun job ${n}`, (world) => rerunJob(world, n))),
    step("connect", (world) => world.connect()),
    step("drop", drop),
    fc.nat({ max: 80 }).map((n) => new Step(`kill the server ${n}`, (w) => w.killServer(n))),
    step("stop the server", (world) => world.stopServer()),
    step("restart the client", (world) => {
      world.drop();
      world.connect();
    }),
    step("fill the disk", (world, model) => setFull(world, model, true)),
    step("free the disk", (world, model) => setFull(world, model, false)),
    fc
      .constantFrom(300, 1_000, 5_000, 20_000)
      .map((ms) => new Step(`wait ${ms}`, (world) => world.wait(ms))),
  ],
  { maxCommands: 50, size: "max" },
);
