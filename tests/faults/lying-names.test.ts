import { expect, setDefaultTimeout, test } from "bun:test";
import { readdir } from "node:fs/promises";
import { join } from "node:path";
import { BYTES, expectNoErrors, newLiarId, system, useLiars } from "../support/liars.ts";
import { REGISTER, ScriptedClient } from "../support/scripted-client.ts";
import { TEST_LIMIT } from "../support/wait.ts";

setDefaultTimeout(TEST_LIMIT);
useLiars();

/* Clients whose ids or file names try to escape from their folder. */

test.each([
  ["nothing", ""],
  ["the folder itself", "."],
  ["the folder above", ".."],
  ["the server's own folder", ".server"],
  ["a way out", "../honest"],
  ["a whole path", "/tmp/evil"],
  ["a folder in another's", "honest/evil"],
  ["the same, as on Windows", "honest\\evil"],
  ["a drive", "C:evil"],
  ["a NUL", "honest\0"],
  ["a line behind", "honest\n"],
  ["what looks like another's", "h\u043Enest"],
  ["what cannot be seen", "honest\u200B"],
  ["65 letters", "x".repeat(65)],
])("a client that calls itself %s is no client, and has no folder", async (_, client_id) => {
  const before = await folders();
  await using client = await ScriptedClient.connect(system.url);
  client.send({ ...REGISTER, client_id });
  expect(await client.closed).toMatchObject({
    code: 1002,
    reason: expect.stringContaining("client_id"),
  });
  expect((await system.api.clients()).map((known) => known.client_id)).not.toContain(client_id);
  expect(await folders()).toEqual(before);
});

/** Returns the names in the system's folder and in `downloads`, except the honest client's. */
async function folders(): Promise<string[]> {
  const downloads = await readdir(join(system.folder, "downloads"));
  return [...(await readdir(system.folder)), ...downloads].filter((name) => name !== "honest");
}

test("a name that a liar chose is made safe", async () => {
  const client_id = newLiarId();
  await using client = await ScriptedClient.register(system.url, { client_id });
  const wanted = [
    "../../../etc/cron.d/evil",
    "/etc/passwd",
    "..",
    "a\nb/\u202Etxt.exe",
    "CON",
    ".bashrc",
  ];
  for (const filePath of wanted) {
    const downloadId = await system.pull(filePath, client_id);
    client.deliver(await client.next("download_request"), BYTES);
    const { status, saved_path } = await system.ended(downloadId);
    expect(status).toBe("completed");
    expect(saved_path).toMatch(
      new RegExp(`^${client_id}/\\d{8}_\\d{6}_[^/\\\\\\n\\u202E.][^/\\\\\\n\\u202E]*$`),
    );
  }
});

test("a liar's words make no lines of their own in the log, and nothing failed in the server", () => {
  expectNoErrors();
});
