import { afterEach, beforeEach, expect, test } from "bun:test";
import fs from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Roots } from "../../../lib/client/owner-rules/roots.ts";
import { SendScheduler } from "../../../lib/client/send-scheduler.ts";
import { FrameOutlet } from "../../../lib/client/sets/frame-outlet.ts";
import { ListSender } from "../../../lib/client/sets/list-sender.ts";
import { decodeFrame } from "../../../lib/protocol/frame.ts";
import type { ClientMessage } from "../../../lib/protocol/messages.ts";
import { Logger } from "../../../lib/util/logger.ts";
import { TokenBucket } from "../../../lib/util/token-bucket.ts";
import { waitFor } from "../../support/wait.ts";

/* What a client sends of a listing when the server asks for a frame again, because it arrived damaged. */

const FILES = 900;
const CHUNK = 8 * 1024;

let site: string;

beforeEach(() => {
  site = fs.mkdtempSync(join(tmpdir(), "fds-list-sender-"));
  for (let n = 0; n < FILES; n++) fs.writeFileSync(join(site, `${"x".repeat(60)}-${n}`), "");
});
afterEach(() => fs.rmSync(site, { recursive: true }));

/**
 * Lists the site.
 * @param at when the server asks for everything again: after this many frames, or after the first message
 * @returns the client's messages, and the number of lines that the server puts together
 */
async function listed(at: { frame?: number; message?: number }) {
  const messages: ClientMessage[] = [];
  const bytes = Buffer.alloc(1024 * 1024);
  let frames = 0;
  const socket = {
    bufferedAmount: 0,
    send: (data: string | Uint8Array) => {
      const { offset, payload } = decodeFrame(new Uint8Array(Buffer.from(data)), CHUNK);
      bytes.set(payload, offset);
      // The server's request arrives while the client waits for something.
      if (++frames === at.frame) queueMicrotask(() => sender.resend(0));
    },
  };
  const scheduler = new SendScheduler(socket, new TokenBucket(null));
  const stream = { stream: 1, epoch: 1 };
  const outlet = new FrameOutlet({
    ...stream,
    chunkSize: CHUNK,
    maxOffset: Infinity,
    scheduler,
    compressor: null,
  });
  const sender = new ListSender({
    request: {
      ...stream,
      type: "list_request",
      path: ".",
      limit: 1_000,
      chunk_size: CHUNK,
      max_offset: Infinity,
    },
    roots: await Roots.open([site]),
    outlet,
    send: (message) => {
      if (messages.push(message) === at.message) sender.resend(0);
    },
    logger: new Logger({ level: "error", format: "json" }),
  });
  const running = sender.run();
  await waitFor(
    () => messages.length === (at.message ?? 0) + 1 && outlet.offset === totalOf(messages),
    "the listing to be complete",
  );
  sender.stop("done");
  await running;
  const lines = bytes.toString("utf8", 0, totalOf(messages)).split("\n").length - 1;
  return { messages, lines };
}

function totalOf(messages: ClientMessage[]): number {
  const last = messages.at(-1);
  return last?.type === "list_complete" ? last.total_size : NaN;
}

test("is whole when a frame is asked for again before all names were sent", async () => {
  const { messages, lines } = await listed({ frame: 2 });
  expect(messages).toMatchObject([{ type: "list_complete", more: false }]);
  expect(lines).toBe(FILES);
});

test("is complete once more when a frame is asked for again at the end", async () => {
  const { messages, lines } = await listed({ message: 1 });
  expect(messages).toMatchObject([{ type: "list_complete" }, { type: "list_complete" }]);
  expect(lines).toBe(FILES);
});
