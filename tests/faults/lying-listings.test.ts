import { describe, expect, setDefaultTimeout, test } from "bun:test";
import { ScriptedClient } from "../support/scripted-client.ts";
import { newLiarId, system, useSetLiars } from "../support/set-liars.ts";
import { API_TOKEN } from "../support/system.ts";
import { TEST_LIMIT } from "../support/wait.ts";

setDefaultTimeout(TEST_LIMIT);
useSetLiars();

/* Row 65 of the fault table: clients that send false directory listings. */

describe("row 65: a listing", () => {
  const line = (name: string, fields: object = {}) =>
    `${JSON.stringify({ name, type: "file", size: 1, mtime_ms: 1, ...fields })}\n`;

  async function answered(query: string, bytes: Uint8Array<ArrayBuffer>) {
    const client_id = newLiarId();
    const fields = { client_id, features: ["list"] };
    await using client = await ScriptedClient.register(system.url, fields as never);
    const url = `${system.url}/api/clients/${client_id}/files?${query}`;
    const asked = fetch(url, { headers: { Authorization: `Bearer ${API_TOKEN}` } });
    const request = await client.next("list_request");
    client.sendFrames(request as never, bytes);
    const { stream, epoch } = request;
    const said = { more: true, truncated: false, total_size: bytes.length };
    client.send({ type: "list_complete", stream, epoch, ...said });
    const answer = await asked;
    return { status: answer.status, code: ((await answer.json()) as { code?: string }).code };
  }

  test.each([
    ["of more names than were asked for", "path=x&limit=2", line("a") + line("b") + line("c")],
    ["of names that are paths", "path=x", line("a/b")],
    ["of the folder above", "path=x", line("..")],
    ["of names that were there before", "path=x&cursor=Yg", line("a")],
    ["of a name twice", "path=x", line("a") + line("a")],
    ["in no order", "path=x", line("b") + line("a")],
    ["of no sizes", "path=x", line("a", { size: -1 })],
    ["of no times", "path=x", line("a", { mtime_ms: 1e99 })],
    ["of half a line", "path=x", line("a").slice(0, -1)],
    ["of no UTF-8", "path=x", "\xff\n"],
  ])("%s is told as broken", async (_, query, text) => {
    expect(await answered(query, Buffer.from(text, "latin1"))).toMatchObject({
      status: 500,
      code: "protocol_error",
    });
  });
});
