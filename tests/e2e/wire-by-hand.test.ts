import { expect, setDefaultTimeout, test } from "bun:test";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { codeBlocks, section } from "../support/markdown.ts";
import { REGISTER, ScriptedClient } from "../support/scripted-client.ts";
import { ENROLL_TOKEN, System } from "../support/system.ts";
import { TEST_LIMIT, waitFor } from "../support/wait.ts";

setDefaultTimeout(TEST_LIMIT);

/* Plays the session of lib/protocol/README.md byte by byte with a real server. */

const README = readFileSync(join(import.meta.dir, "../../lib/protocol/README.md"), "utf8");
const [SESSION = ""] = codeBlocks(section(README, "A session, byte by byte"), "");

/** Fields whose values differ between servers and runs, so only their types are compared. */
const VARIES = new Set(["download_id", "max_offset", "version"]);

function sayable(message: object): object {
  return Object.fromEntries(
    Object.entries(message).map(([key, value]) => [key, VARIES.has(key) ? typeof value : value]),
  );
}

test("a client that says what the README says delivers its file", async () => {
  await using system = await System.start();
  await using client = await ScriptedClient.connect(system.url);
  const lines = SESSION.trim().split("\n");
  const [register, ...rest] = lines;
  expect(JSON.parse(register!.slice(2))).toMatchObject({ type: "register", client_id: "till" });
  client.send({ ...JSON.parse(register!.slice(2)), enroll_token: ENROLL_TOKEN });
  let id = "";
  for (const line of rest) {
    const [side, text] = [line[0], line.slice(2)];
    if (text.startsWith("frame ")) {
      client.sendRaw(Uint8Array.fromHex(text.slice("frame ".length).replaceAll(" ", "")));
    } else if (side === "C") {
      client.sendRaw(text);
    } else {
      const wanted = JSON.parse(text);
      if (wanted.type === "download_request") {
        id = (await system.api.startDownload({ client_id: "till", file_path: "hello.txt" }))
          .download_id;
      }
      expect(sayable(await client.next(wanted.type))).toEqual(sayable(wanted));
    }
  }
  const record = await waitFor(async () => {
    const found = await system.api.download(id);
    return found.status === "completed" ? found : undefined;
  }, "the download to be completed");
  const saved = await Bun.file(join(system.folder, "downloads", record.saved_path!)).text();
  expect(saved).toBe("hello world\n");
});

test("the fields of its first message are those of every client", () => {
  const register = JSON.parse(SESSION.split("\n")[0]!.slice(2));
  expect(Object.keys(register).toSorted()).toEqual(Object.keys(REGISTER).toSorted());
});
