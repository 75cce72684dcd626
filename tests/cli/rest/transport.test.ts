import { describe, expect, test } from "bun:test";
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { ApiClient } from "../../../lib/cli/rest/api-client.ts";
import { ApiCallError, UnreachableError } from "../../../lib/cli/rest/api-errors.ts";
import { readConnection } from "../../../lib/cli/rest/connection.ts";
import { Authority, openssl } from "../../support/certificates.ts";
import { errorOf } from "../../support/errors.ts";
import { downloadRecord } from "../../support/records.ts";
import { json, scriptedRest } from "../../support/scripted-rest.ts";
import { spawn } from "../../support/spawn.ts";

const ID = downloadRecord().download_id;

test("an id cannot lead to another path", async () => {
  await using server = scriptedRest(json(downloadRecord()));
  await server.api.download("../clients?x=1#");
  expect(server.requests[0]?.path).toBe("/api/downloads/..%2Fclients%3Fx%3D1%23");
});

const NO_OPENSSL = openssl.isThere ? "" : ` (${openssl.hint})`;

test.skipIf(!openssl.isThere)(
  `a server here is known by its own certificate alone${NO_OPENSSL}`,
  async () => {
    const folder = await mkdtemp(join(tmpdir(), "fds-own-"));
    try {
      const authority = await Authority.make(folder, "authority");
      const names = { names: "DNS:files.example.com" };
      const [own, other] = [
        await authority.sign("own", "serverAuth", names),
        await authority.sign("other", "serverAuth", names),
      ];
      using server = Bun.serve({
        hostname: "127.0.0.1",
        port: 0,
        tls: { cert: Bun.file(own.cert), key: Bun.file(own.key) },
        fetch: () => Response.json({ status: "healthy" }),
      });
      const callWith = (env: Record<string, string>) =>
        fetchHealth({ ...env, SERVER_PORT: String(server.port) });
      expect(await callWith({ TLS_CERT: own.cert })).toBe("unexpected_answer");
      expect(await callWith({ TLS_CERT: other.cert })).toMatch(/unable to get local issuer/);
      // Writes a file with the server's own certificate, followed by the authority's.
      const chain = join(folder, "chain.pem");
      const texts = [other.cert, authority.cert].map((path) => readFile(path, "utf8"));
      await writeFile(chain, (await Promise.all(texts)).join(""));
      expect(await callWith({ TLS_CERT: chain })).toMatch(/shows another certificate than/);
    } finally {
      await rm(folder, { recursive: true });
    }
  },
);

/** Calls the server. @returns the error's code if the answer is not understood, else the connection error */
async function fetchHealth(env: Record<string, string>): Promise<string> {
  const error = await errorOf(new ApiClient(readConnection({}, env)).health());
  return error instanceof ApiCallError ? error.code : String(error);
}

describe("an error", () => {
  test("of the server keeps its status, its code and its sentence", async () => {
    const body = { error: "no\x1b[2J such\nclient", code: "client_not_found" };
    await using server = scriptedRest(json(body, 404));
    const error = await errorOf(server.api.startDownload({ client_id: "a" }));
    expect(error).toBeInstanceOf(ApiCallError);
    expect(error).toMatchObject({
      status: 404,
      code: "client_not_found",
      message: "no suchclient",
    });
  });

  test.each([
    ["a page", () => new Response("<html>")],
    ["another shape", json({ status: "fine" })],
    ["an error of another shape", json({ message: "no" }, 400)],
  ])("is what answers with %s", async (_, answer) => {
    await using server = scriptedRest(answer);
    expect(await errorOf(server.api.health())).toMatchObject({
      name: "ApiCallError",
      code: "unexpected_answer",
      message: expect.stringContaining(`check the address "http://127.0.0.1:${server.port}"`),
    });
  });

  test("tells in one line how to get a server where there is none", async () => {
    const server = scriptedRest(json({}));
    await server[Symbol.asyncDispose]();
    const error = await errorOf(server.api.health());
    expect(error).toBeInstanceOf(UnreachableError);
    expect(error).toMatchObject({
      message: `no server answers at "http://127.0.0.1:${server.port}", start it with "bun run server"`,
    });
  });

  test("is the reason of the signal where somebody has enough", async () => {
    const reason = new Error("enough");
    const controller = new AbortController();
    await using server = scriptedRest(() => {
      controller.abort(reason);
      return new Promise<Response>(() => {});
    });
    expect(await errorOf(server.api.download(ID, controller.signal))).toBe(reason);
  });
});

test.each(["localhost", "127.0.0.1"])(
  "a call to %s is shown to no proxy that the environment names",
  async (host) => {
    await using proxy = scriptedRest(() => new Response(null, { status: 502 }));
    await using server = scriptedRest(json({ clients: [] }));
    const program = `
      const { ApiClient } = await import(${JSON.stringify(join(process.cwd(), "lib/cli/rest/api-client.ts"))});
      const api = new ApiClient({ server: "http://${host}:${server.port}", token: "secret" });
      console.log((await api.clients()).length);`;
    const names = ["HTTP_PROXY", "http_proxy", "HTTPS_PROXY", "https_proxy"];
    const env = Object.fromEntries(names.map((name) => [name, `http://127.0.0.1:${proxy.port}`]));
    const child = spawn([process.execPath, "-e", program], { env, stderr: "inherit" });
    expect(await new Response(child.stdout).text()).toBe("0\n");
    expect(proxy.requests).toEqual([]);
  },
);

test("a redirection is not followed, and is told", async () => {
  const location = "https://elsewhere.example/api/clients\u001b[2J";
  await using server = scriptedRest(() => Response.redirect(location, 301));
  const error = await errorOf(server.api.clients());
  expect(error).toMatchObject({ status: 301, code: "unexpected_answer" });
  expect(error).toMatchObject({
    message: expect.stringMatching(/it leads to "https:\/\/elsewhere/),
  });
  expect(server.requests).toHaveLength(1);
});
