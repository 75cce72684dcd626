import { expect, setDefaultTimeout, test } from "bun:test";
import { ApiError, DownloadAccepted } from "../../lib/api/schemas.ts";
import { sendLastByteLate } from "../support/raw-http.ts";
import { API_TOKEN, System } from "../support/system.ts";
import { TEST_LIMIT, waitFor } from "../support/wait.ts";

setDefaultTimeout(TEST_LIMIT);

/* Calls of the API that are under way when the server is told to stop. */

const HEAD = ["Content-Type: application/json", `Authorization: Bearer ${API_TOKEN}`];
const BODY = JSON.stringify({ client_id: "site-1", file_path: "a.txt" });

/** Sends SIGTERM, and waits until the server has begun to stop. */
async function tellToStop(system: System): Promise<void> {
  system.server.signal("SIGTERM");
  const begun = () => system.server.log().some(({ message }) => message.startsWith("stopping"));
  await waitFor(begun, "the server to begin to stop");
}

test.concurrent("a call whose body is under way is done, and answered", async () => {
  await using system = await System.start();
  await system.startClient({ id: "site-1" });
  const answer = await sendLastByteLate(
    system.port,
    ["POST /api/download HTTP/1.1", ...HEAD],
    BODY,
    () => tellToStop(system),
  );
  await system.server.ended();
  expect(answer.status).toBe(202);
  const { download_id } = DownloadAccepted.parse(JSON.parse(answer.body));
  expect(system.server.log().filter(({ level }) => level === "error")).toEqual([]);
  await system.restartServer();
  expect(await system.api.download(download_id)).toMatchObject({ client_id: "site-1" });
});

test.concurrent("a call that does not end is given up, with a code that says so", async () => {
  await using system = await System.start();
  const answer = await sendLastByteLate(
    system.port,
    ["POST /api/download HTTP/1.1", ...HEAD],
    BODY,
    async () => {
      await tellToStop(system);
      await system.server.ended();
    },
  );
  expect([answer.status, ApiError.parse(JSON.parse(answer.body)).code]).toEqual([
    503,
    "unavailable",
  ]);
  expect(system.server.log().filter(({ level }) => level === "error")).toEqual([]);
});
