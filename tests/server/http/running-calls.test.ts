import { describe, expect, test } from "bun:test";
import { Hono } from "hono";
import { FdsError } from "../../../lib/protocol/errors.ts";
import type { RestEnv } from "../../../lib/server/http/rest-env.ts";
import { RunningCalls } from "../../../lib/server/http/running-calls.ts";

/** An app with one call that runs until it is told to end. */
function setStage() {
  const calls = new RunningCalls();
  const hold = Promise.withResolvers<void>();
  const app = new Hono<RestEnv>();
  app.use(calls.counted);
  app.get("/live", (c) => c.text("alive"));
  app.get("/slow", async (c) => {
    await hold.promise;
    return c.text("done");
  });
  app.get("/quick", (c) => c.text("done"));
  app.onError((error, c) => c.text(error instanceof FdsError ? error.code : String(error)));
  const get = async (path: string) => (await app.request(path)).text();
  return { calls, get, release: hold.resolve };
}

describe("calls while the server stops", () => {
  test("are handled until then", async () => {
    const { get } = setStage();
    expect(await get("/quick")).toBe("done");
  });

  test("are refused, but for the question whether the process lives", async () => {
    const { calls, get } = setStage();
    calls.refuse();
    expect(await get("/quick")).toBe("unavailable");
    expect(await get("/nowhere")).toBe("unavailable");
    expect(await get("/live")).toBe("alive");
  });

  test("end before the server goes on, if they began before", async () => {
    const { calls, get, release } = setStage();
    const running = get("/slow");
    let hasEnded = false;
    const ended = calls.end(60_000).then(() => (hasEnded = true));
    await new Promise(setImmediate);
    expect(hasEnded).toBe(false);
    release();
    expect(await running).toBe("done");
    await ended;
  });

  test("are given up when they take too long", async () => {
    const { calls, get } = setStage();
    const running = get("/slow");
    await calls.end(0);
    expect(await running).toBe("unavailable");
  });

  test("need not be there", async () => {
    await new RunningCalls().end(60_000);
  });
});
