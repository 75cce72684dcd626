import { expect, setDefaultTimeout, test } from "bun:test";
import { once } from "node:events";
import { connect } from "node:net";
import { Listener } from "../support/events.ts";
import { lacksLimits, setLimit } from "../support/limits.ts";
import { API_TOKEN } from "../support/system.ts";
import { TEST_LIMIT, waitFor } from "../support/wait.ts";
import { pullHalf } from "./half.ts";
import { MiB, setStage } from "./stage.ts";

setDefaultTimeout(TEST_LIMIT);

const MANY = 1000;
/** The number of connections that use up the server's descriptors. */
const FLOOD = 40;

test.skipIf(lacksLimits !== "")(`row 33: out of descriptors${lacksLimits}`, async () => {
  const oneAtATime = { MAX_ACTIVE_DOWNLOADS_PER_CLIENT: "1" };
  await using stage = await setStage({ size: 8 * MiB, env: oneAtATime });
  const { system, proxy, wanted, invariants } = stage;
  const authorized = { headers: { Authorization: `Bearer ${API_TOKEN}` } };
  const listener = new Listener(await fetch(`${system.url}/api/events`, authorized));
  const { downloadId: old } = await pullHalf(stage);
  const late = await system.pull("file");

  setLimit(system.server, "nofile", 1);
  const flood = Array.from({ length: FLOOD }, () => connect(system.port, "127.0.0.1"));
  await Promise.all(flood.map((socket) => once(socket, "connect")));
  let answer = "";
  flood
    .at(-1)!
    .setEncoding("utf8")
    .on("data", (text) => (answer += text));
  flood.at(-1)!.write("GET /health HTTP/1.1\r\nHost: localhost\r\n\r\n");
  // The transfer continues on the client's open connection, until the server needs another descriptor.
  proxy.release("up");
  const problemOf = async (id: string) => {
    const { data } = await listener.until(
      (told) =>
        told.event === "download" && told.data.download_id === id && told.data.error !== null,
    );
    return data;
  };
  const waits = { status: "queued", error_code: "storage_full" };
  const published = { bytes_received: wanted.size, error: "cannot publish the file: EMFILE" };
  expect(await problemOf(old)).toMatchObject({ ...waits, ...published });
  const error = "cannot open the part file: EMFILE";
  expect(await problemOf(late)).toMatchObject({ ...waits, error });
  expect(answer).toBe("");
  await invariants.expectSafe();

  setLimit(system.server, "nofile", MANY);
  await waitFor(() => answer.includes("200 OK"), "the one that waited to be served");
  for (const socket of flood) socket.destroy();
  await listener.close();
  const both = new Map([old, late].map((id) => [id, wanted]));
  await invariants.expectAll({ wanted: both, breaks: 1 });
});
