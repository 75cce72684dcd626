import { downloadRequest } from "../support/requests.ts";
import { afterEach, beforeEach, expect, spyOn, test } from "bun:test";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Roots } from "../../lib/client/owner-rules/roots.ts";
import type { SourceFile } from "../../lib/client/owner-rules/source-file.ts";
import type { RequestResult } from "../../lib/client/outgoing-stream.ts";
import { Sender } from "../../lib/client/sender.ts";
import { SendScheduler } from "../../lib/client/send-scheduler.ts";
import type { ClientMessage } from "../../lib/protocol/messages.ts";
import { Logger } from "../../lib/util/logger.ts";
import { TokenBucket } from "../../lib/util/token-bucket.ts";
import { waitFor } from "../support/wait.ts";

/*
 * The messages that a sender sends, and whether it closes its file. Only these tests would find a leak,
 * because the garbage collector closes files, too.
 */

const REQUEST = downloadRequest(2);

const CONTENT = "content";
const SIZE = CONTENT.length;

let folder: string;
let file: SourceFile;
let sent: ClientMessage[];

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "fds-sender-"));
  await writeFile(join(folder, "file"), CONTENT);
});
afterEach(() => rm(folder, { recursive: true, force: true }));

/**
 * Starts sending the file.
 * @param change changes the open file before it is sent
 * @param bufferedAmount the number of unsent bytes that the socket always reports
 */
async function send(
  change: (file: SourceFile) => void = () => undefined,
  bufferedAmount = 0,
): Promise<{ sender: Sender; delivery: Promise<RequestResult> }> {
  const roots = await Roots.open([folder]);
  file = await roots.openFile("file");
  spyOn(file, "close");
  change(file);
  spyOn(roots, "openFile").mockResolvedValue(file);
  sent = [];
  const sender = new Sender({
    request: REQUEST,
    roots,
    scheduler: new SendScheduler({ send: () => undefined, bufferedAmount }, new TokenBucket(null)),
    chunkSize: 65_536,
    compress: false,
    send: (message) => sent.push(message),
    dailyLimit: null,
    logger: new Logger({ level: "error", format: "json", write: () => undefined }),
  });
  return { sender, delivery: sender.run() };
}

test.each(["done", "cancelled", "disconnected"] as const)(
  "the file is closed when it is %s",
  async (reason) => {
    const { sender, delivery } = await send();
    sender.grant(SIZE);
    await waitFor(() => sent.some(({ type }) => type === "file_complete"), "the file to be sent");
    expect(file.close).not.toHaveBeenCalled();
    sender.stop(reason);
    expect(await delivery).toMatchObject({ outcome: reason === "done" ? "sent" : reason });
    expect(file.close).toHaveBeenCalledTimes(1);
  },
);

test("a cancel takes effect at once where the socket takes nothing more", async () => {
  const { sender, delivery } = await send(() => undefined, 2 ** 30);
  sender.grant(SIZE);
  await waitFor(() => sent.some(({ type }) => type === "file_start"), "the file to be opened");
  sender.stop("cancelled");
  expect(await delivery).toEqual({ outcome: "cancelled", bytesSent: 0 });
  expect(file.close).toHaveBeenCalledTimes(1);
});

test("a credit that comes late takes nothing back", async () => {
  const { sender, delivery } = await send();
  sender.grant(SIZE);
  sender.grant(REQUEST.max_offset + 1);
  await waitFor(() => sent.some(({ type }) => type === "file_complete"), "the file to be sent");
  sender.stop("done");
  expect(await delivery).toEqual({ outcome: "sent", bytesSent: SIZE });
});

test("the file is closed when it cannot be read", async () => {
  const { delivery } = await send((unreadable) => {
    spyOn(unreadable, "identity").mockRejectedValue(new Error("EIO"));
  });
  expect(await delivery).toMatchObject({ outcome: "refused" });
  expect(file.close).toHaveBeenCalledTimes(1);
});
